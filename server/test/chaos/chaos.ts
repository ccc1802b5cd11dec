import { parseArgs } from 'node:util';

import { endChildrenWithUs } from '../../../scripts/end-children.ts';
import { optionTable } from '../../src/config.ts';
import { proveAnswers } from './answers.ts';
import { causes } from './causes.ts';
import { proveCrowd } from './crowd.ts';
import { pickVictims, proveDurability } from './durability.ts';
import { drills, proveFailover } from './failover.ts';
import { proveFreshness } from './freshness.ts';
import { proveHygiene } from './hygiene.ts';
import { inspectable } from './inspector.ts';
import type { Finding, Run } from './part.ts';
import { proveRealtime } from './realtime.ts';
import { proveReload } from './reload.ts';
import { Random } from './random.ts';
import { proveSends } from './sends.ts';
import { withSystem } from './system.ts';

/** The server's defaults. */
const promisedMs = { read: optionTable.readDb.timeoutMs.default, write: optionTable.writeDb.timeoutMs.default };

/**
 * `npm run chaos`: docs/decisions/0011-chaos.md describes what it proves. The same seed gives the same plan of faults.
 */
const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    seed: { type: 'string' },
    reads: { type: 'string', default: '5000000' },
    kills: { type: 'string', default: '20' },
    minutes: { type: 'string', default: '30' },
    'message-reads': { type: 'string', default: '1000000' },
  },
});

const parts: Readonly<Record<string, (run: Run) => Promise<Finding>>> = {
  freshness: async (run) =>
    proveFreshness({ reads: Number(values.reads), clients: 128, countsShare: true, standbys: 1 }, run),
  'two standbys': async (run) =>
    proveFreshness({ reads: Number(values.reads) / 5, clients: 128, countsShare: false, standbys: 2 }, run),
  durability: async (run) =>
    proveDurability({ victims: pickVictims(Number(values.kills), run.random), clients: 48 }, run),
  sends: async (run) =>
    proveSends(
      {
        senders: 50,
        conversations: 20,
        victims: Array.from({ length: Number(values.kills) }, (_, n) => (n % 4 === 3 ? 'primary' : 'worker')),
        reads: Number(values['message-reads']),
        seconds: 3_600,
      },
      run,
    ),
  realtime: async (run) =>
    proveRealtime(
      {
        people: 12,
        conversations: 8,
        victims: Array.from({ length: Number(values.kills) }, () =>
          run.random.pick(['worker', 'worker', 'feed', 'feed', 'primary', 'standby'] as const),
        ),
        seconds: Number(values.minutes) * 60,
      },
      run,
    ),
  failover: async (run) => proveFailover(drills, run),
  answers: async (run) =>
    withSystem(async (system) => proveAnswers(system, { causes, clients: 24, promisedMs, isShort: false }, run)),
  crowd: async (run) =>
    withSystem(async (system) => proveCrowd(system, { silent: 30_000, perSecond: 4_000, seconds: 60 }, run), {}, 8_192),
  reload: async (run) => proveReload({ reloads: 10, perSecond: 1_000 }, run),
  hygiene: async (run) =>
    withSystem(
      async (system) => proveHygiene(system, { minutes: Number(values.minutes), samples: 30, clients: 16 }, run),
      inspectable,
    ),
};

const chosen = values.only?.split(',') ?? Object.keys(parts);
const unknown = chosen.filter((name) => !Object.hasOwn(parts, name));
if (unknown.length > 0)
  throw new Error(`no part is called ${unknown.join(', ')}; there are ${Object.keys(parts).join(', ')}`);

endChildrenWithUs(); // Also when this process is killed.

/** Parts observe it, end what they started, and still report their findings. */
const interrupt = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => interrupt.abort());

const say = (line: string): void => void process.stdout.write(`${line}\n`);

async function prove(name: string, part: (run: Run) => Promise<Finding>, seed: number): Promise<boolean> {
  const { figures, violations } = await part({ random: new Random(seed), signal: interrupt.signal, say });
  for (const violation of violations.slice(0, 20)) say(`    ${violation}`);
  say(`${violations.length === 0 ? '✔' : '✖'} ${name}: ${figures} (seed ${seed})`);
  return violations.length === 0;
}

const seed = values.seed === undefined ? Date.now() % 1_000_000 : Number(values.seed);
for (const [name, part] of Object.entries(parts)) {
  if (!chosen.includes(name) || interrupt.signal.aborted) continue;
  say(`${name}: seed ${seed}`);
  if (!(await prove(name, part, seed))) process.exitCode = 1;
}
if (interrupt.signal.aborted) process.exitCode = 130;
