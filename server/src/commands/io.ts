import { OperatorError } from '../lib/operator-error.ts';

/** What a command may use of its process. Made in main.ts alone. */
export interface Io {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Results. */
  readonly out: (text: string) => void;
  /** Everything else. */
  readonly err: (text: string) => void;
  readonly errIsTerminal: boolean;
  /** Whether results may be coloured: they go to a terminal that can and was not told otherwise (NO_COLOR). Default: no. */
  readonly outHasColours?: boolean;
  /** SIGINT, SIGTERM, and SIGHUP unless that means a reload; each call of the listener is one signal. */
  readonly onSignal: (listener: (name: string) => void) => void;
  /** SIGHUP, unless it comes because our terminal is gone. */
  readonly onReload?: (listener: () => void) => void;
  /** The program that worker processes run. */
  readonly exec: string;
  readonly version: string;
}

/** Exit codes, after sysexits.h where it has one. */
export const exitCodes = { ok: 0, failed: 1, usage: 64, defect: 70, config: 78 } as const;

/** Aborts at the first signal to stop. */
export function untilStopped(io: Io): AbortSignal {
  const stopping = new AbortController();
  io.onSignal((name) => stopping.abort(new OperatorError(`Stopped by ${name}.`)));
  return stopping.signal;
}
