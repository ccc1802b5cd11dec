import type { Interrupts } from './load-test.ts';
import type { Screen } from './progress.ts';

/** What the program may use of its process. */
export interface Io extends Interrupts {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly out: Screen;
  readonly err: (text: string) => void;
}
