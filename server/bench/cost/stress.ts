import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { BenchServer } from '../bench-server.ts';
import { describeRun } from '../machine.ts';
import type { BenchOptions } from '../options.ts';
import { programOf } from './sides.ts';
import { renderStress, type StressReport, type StressSide } from './stress-table.ts';

const execute = promisify(execFile);
const loadtest = fileURLToPath(new URL('../../../loadtest/src/main.ts', import.meta.url));
/** The guide's values. */
const users = 5_000;

/** One stress run on a separate server. Exit code 1 of the load test, a missed target, is not an error here. */
async function runOnce(program: string, duration: number, signal: AbortSignal): Promise<StressReport> {
  const server = await BenchServer.start({}, program);
  const folder = await mkdtemp(join(tmpdir(), 'messenger-stress-'));
  try {
    const url = `http://127.0.0.1:${server.port}`;
    const load = ['--type', 'stress', '--users', String(users), '--duration', String(duration)];
    const args = [loadtest, 'run', ...load, '--base-url', url, '--report-dir', folder];
    await execute(process.execPath, args, { signal }).catch((error: unknown) => {
      if (signal.aborted || !(error instanceof Error && 'code' in error && error.code === 1)) throw error;
    });
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The contract above.
    return JSON.parse(await readFile(join(folder, 'report.json'), 'utf8')) as StressReport;
  } finally {
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

/** `npm run bench -- --only stress`: the guide's stress run on this checkout and on another one, alternately. */
export async function benchStress({ rounds, duration, beside }: BenchOptions, signal: AbortSignal): Promise<void> {
  const checkouts = beside === undefined ? [undefined] : [undefined, beside];
  const minutes = (rounds * checkouts.length * (duration + 15)) / 60;
  console.error(`${rounds} rounds of ${checkouts.length} servers take about ${Math.ceil(minutes)} minutes`);
  const sides = checkouts.map((checkout) => ({ checkout, reports: [] as StressReport[] }));
  for (let round = 1; round <= rounds; round += 1) {
    for (const { checkout, reports } of round % 2 === 1 ? sides : sides.toReversed()) {
      signal.throwIfAborted();
      console.error(`round ${round} of ${rounds}: ${checkout ?? 'messenger'}`);
      reports.push(await runOnce(programOf(checkout), duration, signal));
    }
  }
  const named = sides.map(({ checkout, reports }): StressSide => ({
    name: checkout === undefined ? 'messenger' : 'beside',
    reports,
  }));
  const how = `${describeRun(new Date())}. ${users} users in ${duration} s, medians of ${rounds} rounds, sides in turn.`;
  console.log([how, renderStress(named)].join('\n\n'));
}
