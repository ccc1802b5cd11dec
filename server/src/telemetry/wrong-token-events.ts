import type { RecordEvent } from './events.ts';

const everyMs = 60_000;

/**
 * Records events for wrong tokens for `/ops` and `/metrics` in any process: the first at once, later ones in one event per
 * minute, with a count.
 */
export class WrongTokenEvents {
  readonly #record: RecordEvent;
  #untold = 0;
  #lastAddress = '';
  #timer: NodeJS.Timeout | undefined;

  constructor(record: RecordEvent) {
    this.#record = record;
  }

  readonly add = (address: string): void => {
    this.#untold += 1;
    this.#lastAddress = address;
    if (this.#timer !== undefined) return;
    this.#timer = setInterval(() => this.#tell(), everyMs).unref();
    this.#tell();
  };

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #tell(): void {
    const [count, address] = [this.#untold, this.#lastAddress];
    this.#untold = 0;
    if (count === 0) this.stop();
    else if (count === 1) this.#add(`A wrong METRICS_TOKEN was sent from ${address}`);
    else this.#add(`${count} wrong METRICS_TOKENs were sent within a minute, the last from ${address}`);
  }

  #add(text: string): void {
    this.#record({ kind: 'access', level: 'warn', text });
  }
}
