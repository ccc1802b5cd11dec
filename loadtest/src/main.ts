import { inspect } from 'node:util';

import { runProgram } from './program.ts';

/** Ctrl-C in a terminal reaches every process of the group, and npm forwards its own copy: two signals within this time are one. */
const sameSignalMs = 300;

/** The program `loadtest`: only this file reads arguments, environment and signals, and ends the process. */
const stopping = new AbortController();
const atOnce = new AbortController();
let firstMs: number | undefined;

function onSignal(): void {
  const now = performance.now();
  if (firstMs !== undefined && now - firstMs < sameSignalMs) return;
  if (firstMs === undefined) process.stderr.write('\nEnding the run; once more ends it at once.\n');
  (firstMs === undefined ? stopping : atOnce).abort();
  firstMs ??= now;
}

for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, onSignal);

try {
  process.exitCode = await runProgram(process.argv.slice(2), {
    env: process.env,
    out: { write: (text) => process.stdout.write(text), isTerminal: process.stdout.isTTY },
    err: (text) => process.stderr.write(text),
    stopping: stopping.signal,
    atOnce: atOnce.signal,
  });
} catch (error) {
  process.stderr.write(`${inspect(error)}\n`);
  process.exitCode = 70;
}
