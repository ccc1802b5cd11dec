import { writeFile } from 'node:fs/promises';

import { run as messenger } from '../start-server.ts';
import { waitFor } from '../wait-for.ts';
import { percentile, type Finding, type Run } from './part.ts';
import { SteadyLoad } from './steady-load.ts';
import { System } from './system.ts';

export interface ReloadOptions {
  readonly reloads: number;
  readonly perSecond: number;
}

const clients = 100;

/** Reloads one after the other, each with a changed option, under a steady load: no request may fail. */
export async function proveReload({ reloads, perSecond }: ReloadOptions, { signal, say }: Run): Promise<Finding> {
  const system = await System.create();
  try {
    const before = new Set(system.workers);
    const load = new SteadyLoad({ url: system.url, clients, perSecond });
    await waitFor('load', () => load.answerTimesMs.length > perSecond, 30_000);
    const violations: string[] = [];
    const timesMs: number[] = [];
    for (let reload = 1; reload <= reloads && !signal.aborted; reload += 1) {
      const beganMs = performance.now();
      const outcome = await reloadOnce(system, 190 + reload);
      timesMs.push(performance.now() - beganMs);
      say(`    reload ${reload} of ${reloads}: ${outcome.trim()}; ${load.failures.length} requests failed so far`);
      if (!outcome.includes('changed: MAX_QUEUE_MS')) violations.push(`reload ${reload} ended with: ${outcome}`);
    }
    await load.end();
    violations.push(...load.failures.map((failure) => `a request failed: ${failure}`));
    if (system.workers.some((pid) => before.has(pid))) violations.push('a worker is still the one of the start');
    const figures =
      `${load.failures.length} of ${load.answerTimesMs.length} requests failed during ${timesMs.length} reloads ` +
      `(p99 ${percentile(load.answerTimesMs, 0.99).toFixed(1)} ms; a reload took ${percentile(timesMs, 0.5).toFixed(0)} ms)`;
    return { figures, violations };
  } finally {
    await system.destroy();
  }
}

/** Resolves with what `messenger reload` says. */
async function reloadOnce(system: System, maxQueueMs: number): Promise<string> {
  await writeFile(system.configFile, `server: {max_queue_ms: ${maxQueueMs}}\n`);
  const command = await messenger({ args: ['reload', '--data-dir', system.dataDir] });
  await command.ended();
  return `${command.stdout}${command.stderr}`;
}
