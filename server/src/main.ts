import type { SendHandle } from 'node:child_process';
import cluster from 'node:cluster';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { isatty } from 'node:tty';

import { exitCodes, type Io } from './commands/io.ts';
import type { FeedLaunch } from './feed-service.ts';
import { feedArgument, type ParentMessage } from './process/child-messages.ts';
import type { SupervisorMessage } from './process/messages.ts';
import { drained } from './telemetry/log-output.ts';
import type { WorkerSettings } from './worker.ts';

/** Time for a slow reader of the log to catch up. */
const lastWordsMs = 500;

/**
 * The program `messenger`: only this file reads arguments, environment and signals, and ends the process. Worker
 * processes run it, too, without loading the command line.
 */
const isFeed = process.argv[2] === feedArgument && process.channel !== undefined;
const run = cluster.isWorker ? runWorker : isFeed ? runFeed : runCommand;
await run();

async function runCommand(): Promise<void> {
  const { runProgram } = await import('./commands/program.ts');
  // Loaded in advance: root may become a user who cannot read this folder, and must be able to report that.
  const { explain } = await import('./commands/refusal.ts');
  let outputError: NodeJS.ErrnoException | undefined;
  process.stdout.on('error', (error) => (outputError = error));
  process.stderr.on('error', () => undefined); // A full disk or a closed terminal does not stop the server.
  const io = createIo();
  const code = await runProgram(process.argv.slice(2), io).catch((error: unknown) => explain(error, io.err));
  // Exit explicitly: a hanging operation (a dead disk, a service that did not stop) must not keep the process alive.
  await end(code === exitCodes.ok && isLoss(outputError) ? exitCodes.failed : code);
}

async function end(code: number): Promise<never> {
  await drained(process.stderr, lastWordsMs);
  return process.exit(code);
}

/** A reader that closes its pipe early has what it needs; any other error means an incomplete result. */
function isLoss(error: NodeJS.ErrnoException | undefined): boolean {
  return error !== undefined && error.code !== 'EPIPE';
}

function createIo(): Io {
  let onReload: (() => void) | undefined;
  const hadTerminal = isatty(0) || isatty(2);
  const hasLostTerminal = (): boolean => hadTerminal && !canOpen('/dev/tty');
  return {
    env: process.env,
    out: (text) => process.stdout.write(text),
    err: (text) => process.stderr.write(text),
    errIsTerminal: process.stderr.isTTY,
    askSecret: process.stdin.isTTY && process.stderr.isTTY ? askOnTerminal : undefined,
    outHasColours: process.stdout.isTTY && process.stdout.hasColors(),
    onSignal: (listener) => {
      for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, listener);
      process.on('SIGHUP', (name) => (onReload === undefined || hasLostTerminal() ? listener(name) : onReload()));
    },
    onReload: (listener) => {
      onReload = listener;
    },
    exec: import.meta.filename,
    version: readVersion(),
  };
}

async function askOnTerminal(question: string): Promise<string> {
  const { askSecret } = await import('./commands/ask-secret.ts');
  return await askSecret(question, process.stdin, process.stderr);
}

/** A closed terminal cannot be opened. */
function canOpen(path: string): boolean {
  try {
    closeSync(openSync(path, 'r'));
    return true;
  } catch {
    return false;
  }
}

/** `cluster` ends a worker at once when its supervisor is gone, unless the worker itself is disconnecting. */
function listenToDisconnect(listener: () => void): void {
  if (cluster.worker !== undefined) cluster.worker.exitedAfterDisconnect = true;
  process.on('disconnect', listener);
}

async function runWorker(): Promise<void> {
  const { startWorkerProcess } = await import('./commands/worker.ts');
  const worker = startWorkerProcess(channelToSupervisor<SupervisorMessage<WorkerSettings>>());
  endWith(() => worker.drain());
}

async function runFeed(): Promise<void> {
  const { startFeedProcess } = await import('./commands/feed.ts');
  const feed = startFeedProcess(channelToSupervisor<ParentMessage<FeedLaunch>>());
  endWith(() => feed.stop());
}

/** The supervisor, as a process that it has forked sees it. */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- Of the messages that the supervisor sends to this kind of process.
function channelToSupervisor<Message extends object>() {
  return {
    // Without the callback, a send after the supervisor is gone would end the process.
    send: (message: object, handle?: unknown): void =>
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- Node sends bare handles, as node:cluster does; its types lack them.
      void process.send?.(message, handle as SendHandle, undefined, () => undefined),
    onMessage: (listener: (message: Message, handle?: unknown) => void): void => void process.on('message', listener),
    onDisconnect: listenToDisconnect,
    exit: (code: number): void => void end(code),
    errIsTerminal: process.stderr.isTTY,
  };
}

function endWith(stop: () => void): void {
  process.on('SIGTERM', stop);
  // Ctrl-C reaches every process of the terminal's group; only the supervisor acts on it.
  for (const name of ['SIGINT', 'SIGHUP'] as const) process.on(name, () => undefined);
}

function readVersion(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
  const version = typeof manifest === 'object' && manifest !== null && 'version' in manifest ? manifest.version : '';
  return String(version);
}
