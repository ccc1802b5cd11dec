import { firstRole, Reloadable } from '../reloadable.ts';
import { workersOf } from '../start-server.ts';
import { waitFor } from '../wait-for.ts';
import { percentile, type Finding, type Run } from './part.ts';
import { SteadyLoad } from './steady-load.ts';

export interface ReloadOptions {
  readonly reloads: number;
  readonly perSecond: number;
}

const clients = 100;

/**
 * Successive reloads under a steady load, each with a new password of the same role and a changed option: no request
 * may fail.
 */
export async function proveReload({ reloads, perSecond }: ReloadOptions, { signal, say }: Run): Promise<Finding> {
  const system = await Reloadable.create();
  try {
    const { pid, url } = system.server;
    const before = new Set(workersOf(pid));
    const load = new SteadyLoad({ url, clients, perSecond });
    await waitFor('load', () => load.answerTimesMs.length > perSecond);
    const violations: string[] = [];
    const timesMs: number[] = [];
    for (let reload = 1; reload <= reloads && !signal.aborted; reload += 1) {
      const beganMs = performance.now();
      const outcome = await reloadOnce(system, reload);
      timesMs.push(performance.now() - beganMs);
      say(`    reload ${reload} of ${reloads}: ${outcome.trim()}; ${load.failures.length} requests failed so far`);
      if (!outcome.includes('changed: MAX_QUEUE_MS, DB_WRITE_PASSWORD'))
        violations.push(`reload ${reload} ended with: ${outcome}`);
    }
    await load.end();
    violations.push(...load.failures.map((failure) => `a request failed: ${failure}`));
    if (workersOf(pid).some((one) => before.has(one))) violations.push('a worker was not replaced');
    const shared = system.server.stderr.split('refused a further connection').length - 1;
    const figures =
      `${load.failures.length} of ${load.answerTimesMs.length} requests failed during ${timesMs.length} reloads ` +
      `(p99 ${percentile(load.answerTimesMs, 0.99).toFixed(1)} ms; a reload took ${percentile(timesMs, 0.5).toFixed(0)} ms; ` +
      `${shared} refusals of a further connection to a pool)`;
    return { figures, violations };
  } finally {
    await system.destroy();
  }
}

/** Resolves with the output of `messenger reload`. */
async function reloadOnce(system: Reloadable, reload: number): Promise<string> {
  const password = `password ${reload}`;
  await system.configure(
    `${system.hosts([system.primary], [system.standby])}server: {max_queue_ms: ${190 + reload}}\n`,
  );
  await system.writePassword(password);
  await system.alterPassword(firstRole, password);
  return (await system.reload()).text;
}
