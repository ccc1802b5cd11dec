import { createRequire } from 'node:module';

import type { DestinationStream } from 'pino';
import type pinoPretty from 'pino-pretty';

const require = createRequire(import.meta.url);

/** Messages of successful requests, which a terminal may show as a count. */
export const requestMessages = { one: 'request', leftOut: 'requests were not logged one by one' } as const;

/** Maximum lines per second and process for successful requests. Above it, a terminal shows their count. */
const mostPerSecond = 2;
const secondMs = 1_000;
/** Between two lines with a count. */
const countSeconds = 10;

interface Entry {
  readonly [field: string]: unknown;
  readonly msg?: string;
}

/**
 * Formats log lines for a terminal: one short line each, plus the stack of an error. Successful requests have a line each while
 * they are few, and a line with their count every ten seconds while they are many, so that other lines stay visible.
 */
export class Terminal implements DestinationStream {
  readonly #sink: DestinationStream;
  readonly #format = loadPretty().prettyFactory({
    ignore: 'pid,hostname',
    translateTime: 'SYS:HH:MM:ss.l',
    singleLine: true,
  });
  #timer: NodeJS.Timeout | undefined;
  /** Of this second. */
  #requests = 0;
  /** The seconds so far in which requests were counted; 0 while each has a line. */
  #busySeconds: number | undefined;
  #untold = 0;

  constructor(sink: DestinationStream) {
    this.#sink = sink;
  }

  write(line: string): void {
    const entry = parse(line);
    if (entry?.msg === requestMessages.one) this.#request(entry);
    else if (entry?.msg === requestMessages.leftOut) this.#count(Number(entry['count']));
    else this.#sink.write(this.#format(line));
  }

  #request(entry: Entry): void {
    this.#count(1);
    if (this.#busySeconds === undefined && this.#requests <= mostPerSecond) {
      this.#untold -= 1;
      this.#show(entry, describeRequest(entry));
    }
  }

  #count(requests: number): void {
    this.#timer ??= setInterval(() => this.#endSecond(), secondMs).unref();
    this.#requests += requests;
    this.#untold += requests;
  }

  #endSecond(): void {
    const isBusy = this.#requests > mostPerSecond;
    this.#requests = 0;
    if (isBusy) this.#busySeconds = (this.#busySeconds ?? 0) + 1;
    if (this.#untold > 0 && (!isBusy || this.#busySeconds === countSeconds)) {
      this.#show({ level: 30, time: Date.now() }, `${this.#untold.toLocaleString('en')} more requests succeeded`);
      this.#untold = 0;
      this.#busySeconds = 0;
    }
    if (isBusy) return;
    this.#busySeconds = undefined;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #show({ level, time, name }: Entry, msg: string): void {
    this.#sink.write(this.#format({ level, time, name, msg }));
  }
}

/** Only a terminal needs it, and it takes a tenth of the time that a process needs to start. */
function loadPretty(): typeof pinoPretty {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- require() has no types.
  return require('pino-pretty') as typeof pinoPretty;
}

/** `GET /api/v1/users/:id 200 in 0.9 ms`. */
function describeRequest({ method, route, status, durationMs }: Entry): string {
  return `${String(method)} ${typeof route === 'string' ? route : '(no route)'} ${String(status)} in ${String(durationMs)} ms`;
}

function parse(line: string): Entry | undefined {
  try {
    const entry: unknown = JSON.parse(line);
    return typeof entry === 'object' && entry !== null ? { ...entry } : undefined;
  } catch {
    return undefined; // pino writes only JSON; any other line is shown unchanged.
  }
}
