import { parseArgs } from 'node:util';

import { proveAnswers } from './answers.ts';
import { causes } from './causes.ts';
import { pickVictims, proveDurability } from './durability.ts';
import { proveFreshness } from './freshness.ts';
import { proveHygiene } from './hygiene.ts';
import { inspectable } from './inspector.ts';
import type { Finding, Run } from './part.ts';
import { Random } from './random.ts';
import { withSystem } from './system.ts';

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    seed: { type: 'string' },
    reads: { type: 'string', default: '5000000' },
    kills: { type: 'string', default: '20' },
    minutes: { type: 'string', default: '30' },
  },
});

const parts: Readonly<Record<string, (run: Run) => Promise<Finding>>> = {
  freshness: async (run) => proveFreshness({ reads: Number(values.reads), clients: 128, countsShare: true }, run),
  durability: async (run) =>
    proveDurability({ victims: pickVictims(Number(values.kills), run.random), clients: 48 }, run),
  answers: async (run) => withSystem(async (system) => proveAnswers(system, { causes, clients: 24 }, run)),
  hygiene: async (run) =>
    withSystem(
      async (system) => proveHygiene(system, { minutes: Number(values.minutes), clients: 16, judgesTimes: true }, run),
      inspectable,
    ),
};

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
  if (values.only !== undefined && !values.only.split(',').includes(name)) continue;
  if (interrupt.signal.aborted) break;
  say(`${name}: seed ${seed}`);
  if (!(await prove(name, part, seed))) process.exitCode = 1;
}
if (interrupt.signal.aborted) process.exitCode = 130;
