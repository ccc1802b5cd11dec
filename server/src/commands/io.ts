import { OperatorError } from '../lib/operator-error.ts';

/** The parts of the process that a command may use. Only main.ts creates one. */
export interface Io {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** For results. */
  readonly out: (text: string) => void;
  /** For everything else. */
  readonly err: (text: string) => void;
  readonly errIsTerminal: boolean;
  /** Whether results may have colours: on a terminal with colours, unless NO_COLOR is set. Default: no. */
  readonly outHasColours?: boolean;
  /** Resolves with what is typed on the terminal, unseen; absent without a terminal. */
  readonly askSecret?: ((question: string) => Promise<string>) | undefined;
  /** SIGINT, SIGTERM, and SIGHUP unless it requests a reload. Calls the listener once per signal. */
  readonly onSignal: (listener: (name: string) => void) => void;
  /** SIGHUP, except after our terminal has closed. */
  readonly onReload?: (listener: () => void) => void;
  /** The entry file of worker processes. */
  readonly exec: string;
  readonly version: string;
}

/** Exit codes, as in sysexits.h where it has one. */
export const exitCodes = { ok: 0, failed: 1, usage: 64, defect: 70, config: 78 } as const;

/** Aborts at the first stop signal. */
export function untilStopped(io: Io): AbortSignal {
  const stopping = new AbortController();
  io.onSignal((name) => stopping.abort(new OperatorError(`Stopped by ${name}.`)));
  return stopping.signal;
}
