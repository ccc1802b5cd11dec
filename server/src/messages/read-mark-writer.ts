import type { ReadPosition } from '@messenger/protocol/reading';

import type { Write, Writes } from '../db/writes.ts';
import { markRead, type ReadMark } from './read-marks.ts';

/** Writes what members have read, on the primary. Rejects as `Writes` does. */
export class ReadMarkWriter {
  readonly mark: Write<ReadMark, ReadPosition | 'conversation_not_found'>;

  constructor(writes: Writes) {
    this.mark = writes.prepare(markRead);
  }
}
