import type { Queryable } from '../db/statement.ts';
import type { Clock } from '../lib/clock.ts';
import { Quotas } from '../lib/quotas.ts';
import type { Log } from '../telemetry/log.ts';
import { RepeatLog } from '../telemetry/repeat-log.ts';
import { recordEvent } from './audit-writer.ts';

/** Events per minute of a worker: an attack must not fill the disk. */
const maxPerMinute = 100;

const text = 'a failed sign-in is not in the security events: there were too many';
const line = { level: 'warn', key: text, one: text, many: text } as const;

interface FailedSignInServices {
  readonly clock: Clock;
  readonly log: Log;
}

/** Records wrong passwords as security events. */
export class FailedSignIns {
  readonly #db: Queryable;
  readonly #quota: Quotas;
  readonly #log: RepeatLog;

  constructor(db: Queryable, { clock, log }: FailedSignInServices) {
    this.#db = db;
    this.#quota = new Quotas(maxPerMinute, 60_000, clock);
    this.#log = new RepeatLog(log);
  }

  /** `userId` is undefined for a name without an account. */
  async record(userId: string | undefined, address: string): Promise<void> {
    if (this.#quota.take('').isExceeded) this.#log.add(line, () => ({}));
    else await recordEvent(this.#db, { kind: 'sign_in_failed', userId, address });
  }

  close(): void {
    this.#log.close();
  }
}
