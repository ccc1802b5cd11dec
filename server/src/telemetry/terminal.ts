import type { DestinationStream } from 'pino';
import { prettyFactory } from 'pino-pretty';

/** Messages of successful requests, which a terminal shows in its own way. */
export const requestMessages = { one: 'request', leftOut: 'requests were not logged one by one' } as const;

/** Lines a second of one process for requests that went well. Above this rate a terminal shows their number instead. */
const mostPerSecond = 2;
const secondMs = 1_000;
/** Between two lines with a number. */
const countSeconds = 10;

interface Entry {
  readonly [field: string]: unknown;
  readonly msg?: string;
}

/**
 * Shows the lines of a log to a person: one short line each, and the stack of an error. Requests that went well have a line each while
 * they are few, and a line with their number every ten seconds while they are many, so that other lines stay in sight.
 */
export class Terminal implements DestinationStream {
  readonly #sink: DestinationStream;
  readonly #format = prettyFactory({
    ignore: 'pid,hostname',
    translateTime: 'SYS:HH:MM:ss.l',
    singleLine: true,
  });
  #timer: NodeJS.Timeout | undefined;
  /** Of this second. */
  #requests = 0;
  /** Seconds of the time in which requests are counted and not shown; none while each is shown. */
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
      this.#show({ level: 30, time: Date.now() }, `${this.#untold.toLocaleString('en')} more requests went well`);
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

/** `GET /api/v1/users/:id 200 in 0.9 ms`. */
function describeRequest({ method, route, status, durationMs }: Entry): string {
  return `${String(method)} ${typeof route === 'string' ? route : '(no route)'} ${String(status)} in ${String(durationMs)} ms`;
}

function parse(line: string): Entry | undefined {
  try {
    const entry: unknown = JSON.parse(line);
    return typeof entry === 'object' && entry !== null ? { ...entry } : undefined;
  } catch {
    return undefined; // pino writes JSON alone; a line that is none is shown as it is.
  }
}
