import { withDeadline } from '../lib/with-deadline.ts';
import type { Pool } from './pool.ts';
import { flushedPosition, toPosition } from './position.ts';
import type { PrimaryLog } from './primary-log.ts';
import type { Standby } from './standby.ts';

/** Between two looks at a standby: so long may its failure go unnoticed by those who do not fail with it. */
const everyMs = 250;

/** Looks after a standby: is it there, and how far behind the primary is it? Also at once, when a read failed on it. */
export class StandbyWatch {
  readonly #primary: Pool;
  readonly #primaryLog: PrimaryLog;
  readonly #standby: Standby;
  #timer: NodeJS.Timeout | undefined;
  #isLooking = false;

  constructor(primary: Pool, primaryLog: PrimaryLog, standby: Standby) {
    this.#primary = primary;
    this.#primaryLog = primaryLog;
    this.#standby = standby;
  }

  start(): void {
    this.#timer = setInterval(() => this.lookNow(), everyMs);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  lookNow(): void {
    if (this.#isLooking) return;
    this.#isLooking = true;
    void Promise.all([this.#askPrimary(), this.#standby.check(this.#primaryLog)]).then(() => {
      this.#isLooking = false;
    });
  }

  /** A primary that does not answer writes nothing that a standby could miss. */
  async #askPrimary(): Promise<void> {
    const inTime = AbortSignal.timeout(everyMs);
    const asked = withDeadline(this.#primary.query(flushedPosition, [], inTime), everyMs);
    const [row] = await asked.catch(() => []);
    const position = toPosition(row);
    if (position !== undefined) this.#primaryLog.add(position);
  }
}
