import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';

import type { Log } from '../telemetry/log.ts';
import { RepeatLog } from '../telemetry/repeat-log.ts';
import type { Binaries } from './binaries.ts';
import { startGuardian } from './guardian.ts';
import { type LogLine, parseLogLine, relayLogLine } from './postgres-log.ts';
import type { Role } from './settings.ts';
import { spawnOptions } from './spawn-options.ts';
import { poll } from './wait.ts';

/** How to run one server: `dir` is its data, `onLine` gets each of its messages. */
export interface Launch {
  readonly role: Role;
  readonly dir: string;
  readonly binaries: Binaries;
  readonly log: Log;
  readonly onLine?: (line: LogLine) => void;
}

/** A running server. */
export interface PostgresProcess {
  readonly pid: number;
  /** Resolves with the reason, as reported by the server if possible, when the process has ended; never rejects. */
  readonly ended: Promise<string>;
  /** Fast shutdown; immediate when the signal aborts. Resolves when the process has ended. */
  stop(signal: AbortSignal): Promise<void>;
}

/** Time for the last messages of an ended server to arrive. */
const lastWordsMs = 500;

/** The message that explains a server's end: its last FATAL or PANIC, else output from before it could log. */
class LastWords {
  #fatal: string | undefined;
  readonly #raw: string[] = [];
  #isReady = false;

  hear(line: LogLine | undefined, raw: string): void {
    if (line === undefined) {
      // Once it serves, lines without a severity are parts of statements.
      if (!this.#isReady && this.#raw.length < 5) this.#raw.push(raw);
    } else if (line.severity === 'PANIC' || (line.severity === 'FATAL' && line.backend !== 'client backend'))
      this.#fatal = line.text;
  }

  /** The server serves: earlier messages do not explain a later end. */
  forget(): void {
    this.#isReady = true;
    this.#raw.length = 0;
    this.#fatal = undefined;
  }

  get text(): string | undefined {
    return this.#fatal ?? (this.#raw.length > 0 ? this.#raw.join(' ') : undefined);
  }
}

/** Subscribes to the server's messages. Resolves with the reason of its end. */
function listen(child: ChildProcess, launch: Launch, words: LastWords): Promise<string> {
  const shortages = new RepeatLog(launch.log);
  if (child.stderr !== null)
    createInterface({ input: child.stderr }).on('line', (raw) => {
      const line = parseLogLine(raw);
      words.hear(line, raw);
      if (line === undefined) return;
      relayLogLine(launch.log, shortages, launch.role, line);
      launch.onLine?.(line);
    });
  const closed = once(child, 'close').catch(() => undefined);
  void closed.then(() => shortages.close());
  return once(child, 'exit').then(
    async ([code, signal]) => {
      await Promise.race([closed, sleep(lastWordsMs)]);
      return words.text ?? (signal === null ? `exit code ${code}` : `ended by ${signal}`);
    },
    (error: unknown) => String(error),
  );
}

/** The status line of postmaster.pid, if the file belongs to `pid`. */
async function readStatus(dir: string, pid: number): Promise<string | undefined> {
  const lines = (await readFile(join(dir, 'postmaster.pid'), 'utf8').catch(() => '')).split('\n');
  return lines[0] === String(pid) ? lines[7]?.trim() : undefined;
}

/** Time limit of an immediate shutdown; PostgreSQL itself kills its children after 5 s. */
const immediateMs = 7_000;

async function stopChild(child: ChildProcess, ended: Promise<string>, signal: AbortSignal): Promise<void> {
  child.kill('SIGINT');
  const atOnce = (): void => {
    child.kill('SIGQUIT');
    const last = setTimeout(() => child.kill('SIGKILL'), immediateMs);
    void ended.then(() => clearTimeout(last));
  };
  if (signal.aborted) atOnce();
  else signal.addEventListener('abort', atOnce, { once: true });
  await ended;
  signal.removeEventListener('abort', atOnce);
}

function spawnPostgres(launch: Launch): ChildProcess {
  return spawn(launch.binaries.postgres, ['-D', launch.dir], {
    ...spawnOptions,
    detached: true,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
}

async function untilReady(launch: Launch, pid: number, ended: Promise<string>, signal: AbortSignal): Promise<void> {
  let reason: string | undefined;
  void ended.then((why) => (reason = why));
  await poll(
    async () => {
      if (reason !== undefined) throw new Error(`The ${launch.role} ended while it started: ${reason}`);
      return (await readStatus(launch.dir, pid)) === 'ready' ? true : undefined;
    },
    { everyMs: 20, signal },
  );
}

/**
 * Starts the server of a data directory and resolves when it accepts connections (a standby: read-only ones). Rejects
 * with the server's own reason when it ends before that, or when the signal aborts; then nothing is left running. It
 * runs in its own session, and ends when our process ends in any way.
 */
export async function startPostgres(launch: Launch, signal: AbortSignal): Promise<PostgresProcess> {
  signal.throwIfAborted();
  const child = spawnPostgres(launch);
  const words = new LastWords();
  const ended = listen(child, launch, words);
  const { pid } = child;
  if (pid === undefined) throw new Error(`The ${launch.role} cannot be started: ${await ended}`);
  const dismiss = startGuardian(pid, launch.dir);
  void ended.then(dismiss);
  try {
    await untilReady(launch, pid, ended, signal);
  } catch (error) {
    await stopChild(child, ended, AbortSignal.abort());
    throw error;
  }
  words.forget();
  return { pid, ended, stop: (deadline) => stopChild(child, ended, deadline) };
}
