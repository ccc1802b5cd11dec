import { withDeadline } from '../lib/with-deadline.ts';
import { flushedPosition, toPosition } from './position.ts';
import type { PrimaryLog } from './primary-log.ts';
import type { Standby } from './standby.ts';
import type { Queryable } from './statement.ts';

/** Between two looks at a standby: so long may its failure go unnoticed by those who do not fail with it. */
const everyMs = 250;

/** Looks after standbys: are they there, whose are they, and how far behind the primary? Each in its own time. */
export class StandbyWatch {
  readonly #primary: Queryable;
  readonly #primaryLog: PrimaryLog;
  readonly #standbys: readonly Pick<Standby, 'check'>[];
  #isPrimaryAsked = false;
  readonly #beingChecked = new Set<Pick<Standby, 'check'>>();
  #timer: NodeJS.Timeout | undefined;

  constructor(primary: Queryable, primaryLog: PrimaryLog, standbys: readonly Pick<Standby, 'check'>[]) {
    this.#primary = primary;
    this.#primaryLog = primaryLog;
    this.#standbys = standbys;
  }

  /** Resolves after the first look, within a second, whoever is away. The primary comes first: by it a standby is known. */
  async start(): Promise<void> {
    await this.#askPrimary();
    await Promise.all(this.#standbys.map(async (standby) => this.#look(standby)));
    this.#timer = setInterval(() => {
      void this.#askPrimary();
      for (const standby of this.#standbys) this.lookAt(standby);
    }, everyMs);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** At once, because a read failed there; not when it is being looked at already. */
  lookAt(standby: Pick<Standby, 'check'>): void {
    if (!this.#beingChecked.has(standby)) void this.#look(standby);
  }

  async #look(standby: Pick<Standby, 'check'>): Promise<void> {
    this.#beingChecked.add(standby);
    await standby.check();
    this.#beingChecked.delete(standby);
  }

  /**
   * A primary that does not answer writes nothing that a standby could miss. One question is out at most, until its own
   * deadline: else a primary that is frozen, and the way to it, would be full of them.
   */
  async #askPrimary(): Promise<void> {
    if (this.#isPrimaryAsked) return;
    this.#isPrimaryAsked = true;
    const asking = this.#primary.query(flushedPosition, []).finally(() => {
      this.#isPrimaryAsked = false;
    });
    const [row] = await withDeadline(asking, everyMs).catch(() => []);
    const position = toPosition(row);
    if (row === undefined || position === undefined) return;
    this.#primaryLog.identity = row;
    this.#primaryLog.add(position);
  }
}
