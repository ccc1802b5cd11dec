import type { Clock } from '../lib/clock.ts';
import { Quotas } from '../lib/quotas.ts';
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

/** The key of all addresses together. */
const overall = '';

/**
 * Limits how fast tokens can be guessed. Above a limit, tokens of the address are not checked, so a right one fails, too. Memory is bounded
 * by the wrong tokens of two minutes.
 */
export class WrongTokens {
  readonly #log: RepeatLog;
  readonly #tell: WrongTokensOptions['tell'];
  readonly #byAddress: Quotas;
  readonly #overall: Quotas;
  readonly #trusted = new Set<string>();

  constructor({ clock, log, tell }: WrongTokensOptions) {
    this.#byAddress = new Quotas(most.perAddress, windowMs, clock);
    this.#overall = new Quotas(most.overall, windowMs, clock);
    this.#tell = tell;
    this.#log = new RepeatLog(log);
  }

  isBlocked(remoteAddress: string | undefined): boolean {
    const address = clientNetwork(remoteAddress ?? '');
    return this.#byAddress.isUsedUp(address) || (this.#overall.isUsedUp(overall) && !this.#trusted.has(address));
  }

  add(remoteAddress: string | undefined): void {
    const address = clientNetwork(remoteAddress ?? '');
    this.#byAddress.take(address);
    this.#overall.take(overall);
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
