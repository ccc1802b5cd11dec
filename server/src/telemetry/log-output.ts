import type { Writable } from 'node:stream';

import type { DestinationStream } from 'pino';

/** A few thousand lines: enough for a reader that is briefly busy. */
const mostWaitingBytes = 1_048_576;

/**
 * The destination of a log. A line reaches the system before `write` returns, so a crash loses no line for which the pipe had
 * room. A blocked reader never blocks the process: up to 1 MiB is buffered, further lines are dropped, and their count is written
 * when the reader continues. Lines that cannot be written (closed pipe, full disk, closed terminal) are counted, too. Pino's own
 * destination would sleep while a pipe is full (docs/decisions/0014).
 */
export class LogOutput implements DestinationStream {
  readonly #stream: Writable;
  readonly #mostWaitingBytes: number;
  #lost = 0;
  #failed = 0;

  constructor(stream: Writable, mostBytes = mostWaitingBytes) {
    this.#stream = stream;
    this.#mostWaitingBytes = mostBytes;
    stream.on('error', () => undefined); // `#written` gets the error; an 'error' event without a listener would end the process.
    stream.on('drain', () => this.#tellLost());
  }

  write(line: string): void {
    if (this.#lost > 0 || this.#stream.writableLength + line.length > this.#mostWaitingBytes) this.#lost += 1;
    else this.#stream.write(line, this.#written);
  }

  readonly #written = (error?: Error | null): void => {
    const failed = this.#failed;
    this.#failed = error ? failed + 1 : 0;
    if (!error && failed > 0) this.#tell('log lines were lost: they could not be written', failed);
  };

  #tellLost(): void {
    if (this.#lost === 0) return;
    this.#tell('log lines were lost: their reader was too slow', this.#lost);
    this.#lost = 0;
  }

  #tell(msg: string, lost: number): void {
    this.#stream.write(`${JSON.stringify({ level: 40, time: Date.now(), lost, msg })}\n`);
  }
}

/** Resolves when everything is written, or after `mostMs`: a blocked reader does not keep the process alive. */
export async function drained(stream: Writable, mostMs: number): Promise<void> {
  if (stream.writableLength === 0 || stream.destroyed) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, mostMs);
  stream.write('', () => resolve());
  await promise;
  clearTimeout(timer);
}
