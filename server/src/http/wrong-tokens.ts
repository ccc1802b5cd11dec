import type { Clock } from '../lib/clock.ts';
import type { Log } from '../telemetry/log.ts';
import { RepeatLog } from '../telemetry/repeat-log.ts';
import { clientNetwork } from './client-address.ts';

const windowMs = 60_000;

/** Limits of wrong tokens per minute and process: of one address, and of all. */
const most = { perAddress: 10, overall: 100 };

/** Addresses that have sent the right token; exempt from the overall limit. */
const mostTrusted = 100;

const text = 'a wrong METRICS_TOKEN was sent';
const line = { level: 'warn', one: text, many: text } as const;

export interface WrongTokensOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** Called for each wrong token, at most a hundred times per minute. */
  readonly tell: (address: string) => void;
}

/**
 * Limits the rate of wrong tokens. Above a limit, every token of the address fails, also the right one. Memory is bounded: one address per
 * wrong token, for a minute.
 */
export class WrongTokens {
  readonly #clock: Clock;
  readonly #log: RepeatLog;
  readonly #tell: WrongTokensOptions['tell'];
  readonly #wrong = new Map<string, number>();
  readonly #trusted = new Set<string>();
  #overall = 0;
  #windowBeganMs = Number.NEGATIVE_INFINITY;

  constructor({ clock, log, tell }: WrongTokensOptions) {
    this.#clock = clock;
    this.#tell = tell;
    this.#log = new RepeatLog(log);
  }

  isBlocked(remoteAddress: string | undefined): boolean {
    const now = this.#clock.now();
    if (now - this.#windowBeganMs >= windowMs) {
      this.#windowBeganMs = now;
      this.#overall = 0;
      this.#wrong.clear();
    }
    const address = clientNetwork(remoteAddress ?? '');
    if ((this.#wrong.get(address) ?? 0) >= most.perAddress) return true;
    return this.#overall >= most.overall && !this.#trusted.has(address);
  }

  add(remoteAddress: string | undefined): void {
    const address = clientNetwork(remoteAddress ?? '');
    this.#wrong.set(address, (this.#wrong.get(address) ?? 0) + 1);
    this.#overall += 1;
    this.#log.add({ ...line, key: address }, () => ({ address: remoteAddress }));
    this.#tell(remoteAddress ?? 'an unknown address');
  }

  trust(remoteAddress: string | undefined): void {
    if (this.#trusted.size < mostTrusted) this.#trusted.add(clientNetwork(remoteAddress ?? ''));
  }

  close(): void {
    this.#log.close();
  }
}
