import type { Writable } from 'node:stream';

import type { DestinationStream } from 'pino';

/** Some thousand lines: what a reader that was busy for a moment catches up with. */
const mostWaitingBytes = 1_048_576;

/**
 * Where a log's lines go: a stream that is written to without waiting. A line is with the system before `write` returns,
 * so that a crash loses nothing that its reader had room for. A reader that stands still stops nobody: up to 1 MiB waits
 * for it, further lines are counted, and the count is told when it reads on. A line that cannot be written (the reader is gone, the
 * disk is full, the terminal has closed) is counted, too: the server goes on without it.
 *
 * Not pino's own destination: on a full pipe that one sleeps until there is room (docs/decisions/0014).
 */
export class LogOutput implements DestinationStream {
  readonly #stream: Writable;
  readonly #mostWaitingBytes: number;
  #lost = 0;
  #failed = 0;

  constructor(stream: Writable, mostBytes = mostWaitingBytes) {
    this.#stream = stream;
    this.#mostWaitingBytes = mostBytes;
    stream.on('error', () => undefined); // `#written` is told; without a listener it would end the process.
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

/** Resolves when everything is with the system, or after `mostMs`: a reader that stands still keeps nobody alive. */
export async function drained(stream: Writable, mostMs: number): Promise<void> {
  if (stream.writableLength === 0 || stream.destroyed) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, mostMs);
  stream.write('', () => resolve());
  await promise;
  clearTimeout(timer);
}
