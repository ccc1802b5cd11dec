import cluster from 'node:cluster';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { exitCodes, type Io } from './commands/io.ts';

/**
 * The program `messenger`: the only reader of arguments, environment and signals, and the only one who ends the
 * process. Worker processes run this file, too, and load nothing of the command line.
 */
const run = cluster.isWorker ? runWorker : runCommand;
await run();

async function runCommand(): Promise<void> {
  const { runProgram } = await import('./commands/program.ts');
  try {
    process.exitCode = await runProgram(process.argv.slice(2), createIo());
  } catch (error) {
    process.exitCode = await explain(error);
  }
}

function createIo(): Io {
  return {
    env: process.env,
    out: (text) => process.stdout.write(text),
    err: (text) => process.stderr.write(text),
    errIsTerminal: process.stderr.isTTY,
    onSignal: (listener) => {
      for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, listener);
    },
    exec: fileURLToPath(import.meta.url),
    version: readVersion(),
  };
}

/** What an operator can change is told in its own words; anything else is a defect, and told with its stack. */
async function explain(error: unknown): Promise<number> {
  const [{ ConfigError }, { OperatorError }, { describeFailure }, { DatabaseError }] = await Promise.all([
    import('./config.ts'),
    import('./lib/operator-error.ts'),
    import('./db/errors.ts'),
    import('pg'),
  ]);
  if (error instanceof ConfigError) {
    process.stderr.write(`The configuration cannot be used:\n${error.message.replaceAll(/^/gmu, '  ')}\n`);
    return exitCodes.config;
  }
  if (error instanceof OperatorError) process.stderr.write(`${error.message}\n`);
  else if (error instanceof DatabaseError) process.stderr.write(`The database refuses: ${describeFailure(error)}\n`);
  else process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
  return exitCodes.failed;
}

async function runWorker(): Promise<void> {
  const { startWorkerProcess } = await import('./commands/worker.ts');
  const worker = startWorkerProcess({
    send: (message) => process.send?.(message),
    onMessage: (listener) => process.on('message', listener),
    onDisconnect: (listener) => process.on('disconnect', listener),
    exit: (code) => process.exit(code),
    errIsTerminal: process.stderr.isTTY,
  });
  process.on('SIGTERM', () => worker.drain());
  // A terminal's Ctrl-C reaches every process of its group; the supervisor decides what it means.
  for (const name of ['SIGINT', 'SIGHUP'] as const) process.on(name, () => undefined);
}

function readVersion(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
  const version = typeof manifest === 'object' && manifest !== null && 'version' in manifest ? manifest.version : '';
  return String(version);
}
