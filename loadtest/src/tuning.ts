import { inspect } from 'node:util';

import { runProgram } from './tuning/program.ts';

/** A terminal's Ctrl-C reaches every process of the group, and npm passes its own copy on: both are one wish. */
const sameSignalMs = 300;

/** The program `bench:tuning`: the only reader of arguments, environment and signals here. */
const stopping = new AbortController();
const atOnce = new AbortController();
let firstMs: number | undefined;

function onSignal(): void {
  const now = performance.now();
  if (firstMs !== undefined && now - firstMs < sameSignalMs) return;
  (firstMs === undefined ? stopping : atOnce).abort();
  firstMs ??= now;
}

for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, onSignal);

try {
  process.exitCode = await runProgram(process.argv.slice(2), {
    env: process.env,
    out: (text) => process.stdout.write(text),
    err: (text) => process.stderr.write(text),
    stopping: stopping.signal,
    atOnce: atOnce.signal,
  });
} catch (error) {
  process.stderr.write(`${inspect(error)}\n`);
  process.exitCode = 70;
}
