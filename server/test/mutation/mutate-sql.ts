/**
 * `npm run mutate -- <source files> -- <test files>`: changes each SQL text of the sources once per rule, runs the tests, and
 * lists the changes that no test notices. By hand: it takes seconds per change. `--part 1/4` runs a quarter.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';

import { endChildrenWithUs } from '../../../scripts/end-children.ts';
import { globalSetup, globalTeardown } from '../global-setup.ts';
import { findMutants, type Mutant } from './sql-mutants.ts';

const hook = import.meta.resolve('./mutate-hook.ts');
/** A change can make a statement wait for ever. */
const runMs = 60_000;
const lanes = 2;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { part: { type: 'string', default: '1/1' } },
});
const sources = positionals.filter((file) => !file.endsWith('.test.ts'));
const tests = positionals.filter((file) => file.endsWith('.test.ts'));
const [part = 1, parts = 1] = values.part.split('/').map(Number);

interface Job extends Mutant {
  readonly file: string;
  readonly source: string;
}

/** Whether a test of the file fails on the changed source. */
async function isNoticed(test: string, file: string, mutated: string): Promise<boolean> {
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const child = spawn(process.execPath, ['--import', hook, test], {
    env: { ...env, MUTATED_SOURCE: `${pathToFileURL(file).href} ${mutated}` },
    stdio: ['ignore', 'pipe', 'ignore'],
    timeout: runMs,
    killSignal: 'SIGKILL',
  });
  // The first failure is enough.
  createInterface({ input: child.stdout }).on('line', (line) => {
    if (/^\s*(?:✖|not ok)/u.test(line)) child.kill('SIGKILL');
  });
  await once(child, 'exit');
  return child.exitCode !== 0;
}

async function survives({ file, source, start, end, replacement, rule }: Job, folder: string): Promise<boolean> {
  const mutated = join(folder, `${start}-${end}-${rule.replaceAll(' ', '-')}.ts`);
  writeFileSync(mutated, source.slice(0, start) + replacement + source.slice(end));
  for (const test of tests) if (await isNoticed(test, file, mutated)) return false;
  return true;
}

function describe({ file, source, start, end, replacement, rule }: Job): string {
  const line = source.slice(0, start).split('\n').length;
  return `${file}:${line}  ${rule}: "${source.slice(start, end)}" -> "${replacement}"`;
}

endChildrenWithUs();
await globalSetup();
const folder = mkdtempSync(join(tmpdir(), 'messenger-mutants-'));
chmodSync(folder, 0o755);
const jobs = sources
  .flatMap((file) => {
    const source = readFileSync(file, 'utf8');
    return findMutants(source).map((mutant): Job => ({ file, source, ...mutant }));
  })
  .filter((_, index) => index % parts === part - 1);
const survivors: string[] = [];
const waiting = jobs.values();
await Promise.all(
  Array.from({ length: lanes }, async () => {
    for (const job of waiting) {
      const isSurvivor = await survives(job, folder);
      if (isSurvivor) survivors.push(describe(job));
      process.stdout.write(`${isSurvivor ? 'SURVIVES' : 'noticed '} ${describe(job)}\n`);
    }
  }),
);
rmSync(folder, { recursive: true, force: true });
await globalTeardown();
process.stdout.write(
  `\n${jobs.length} changes, ${survivors.length} not noticed:\n${survivors.toSorted().join('\n')}\n`,
);
