import type { Second } from './report.ts';

/** The output: lines in a file or a pipe, one updating line on a terminal. */
export interface Screen {
  readonly write: (text: string) => void;
  readonly isTerminal: boolean;
}

/** Seconds between two lines without a terminal. */
const plainEverySeconds = 5;

/** The progress line, once a second. */
export class Progress {
  readonly #screen: Screen;
  readonly #durationSeconds: number;
  #failed = 0;

  constructor(screen: Screen, durationSeconds: number) {
    this.#screen = screen;
    this.#durationSeconds = durationSeconds;
  }

  show(now: Second): void {
    this.#failed += now.failed;
    const text = this.#render(now);
    if (this.#screen.isTerminal) this.#screen.write(`\r\u001B[K${text}`);
    else if ((now.second + 1) % plainEverySeconds === 0) this.#screen.write(`${text}\n`);
  }

  end(): void {
    if (this.#screen.isTerminal) this.#screen.write('\n');
  }

  #render({ second, activeUsers, requests, p99Ms }: Second): string {
    const percent = Math.min(100, Math.round(((second + 1) / this.#durationSeconds) * 100));
    return [
      `${second + 1} s`.padStart(6),
      `${percent} %`.padStart(5),
      `${activeUsers} users active`,
      `${requests} requests/s`,
      `p99 ${p99Ms.toFixed(1)} ms`,
      `${this.#failed} failed`,
    ].join('  ');
  }
}
