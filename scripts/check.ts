/**
 * `npm test`: the checks of package.json, then all tests; one line per step, and everything runs even if something
 * failed. `npm test -- users` runs only the tests whose path contains `users`, `npm test -- '!.e2e.'` those without.
 */
import { existsSync, globSync } from 'node:fs';
import { availableParallelism, constants } from 'node:os';
import { join, relative } from 'node:path';
import { pathToFileURL } from 'node:url';
import { inspect } from 'node:util';

import { explainClosedCheckout } from './closed-checkout.ts';
import { addFailure, addOutcome, emptyOutcome, printStep, printSum } from './outcome.ts';
import { runCheck } from './run-check.ts';
import { runTestFiles, type TestLimits } from './run-tests.ts';
import { makeTemporaryFolder } from './temporary-folder.ts';

const root = join(import.meta.dirname, '..');

/** Scripts of package.json, so that a developer runs a single one by the same name. */
const checks = ['format:check', 'lint', 'types', 'unused'];

const testFiles = ['{protocol,server,scripts,loadtest}/**/*.test.ts', 'server/test/**/*.e2e.ts'];

/** Many files mostly wait for databases: one more at a time than there are processors. */
const limits: TestLimits = { concurrency: Math.min(4, availableParallelism() + 1), testMs: 60_000, silenceMs: 75_000 };

/** Whole servers are many processes each: they run after the rest, two files at a time. */
const limitsAlone: TestLimits = { ...limits, concurrency: 2 };

/** Exports globalSetup and globalTeardown, as node's --test-global-setup. Only *.pg.test.ts need it. */
const globalSetupFile = join(root, 'server/test/global-setup.ts');

/** The databases are started and stopped well within this; a hanging start must not hang the checks. */
const setupMs = 120_000;

const sum = emptyOutcome();
const interrupt = new AbortController();

async function runChecks(): Promise<void> {
  for (const name of checks) {
    if (interrupt.signal.aborted) return;
    const startedAt = performance.now();
    const outcome = await runCheck(root, name, interrupt.signal);
    printStep(name, performance.now() - startedAt, outcome);
    addOutcome(sum, outcome);
  }
}

/** A pattern is a part of the path; one that begins with `!` must not be a part of it. */
function findTests(patterns: readonly string[]): string[] {
  const unwanted = patterns.filter((pattern) => pattern.startsWith('!')).map((pattern) => pattern.slice(1));
  const wanted = patterns.filter((pattern) => !pattern.startsWith('!'));
  return globSync(testFiles, { cwd: root, exclude: ['**/node_modules/**'] })
    .filter((file) => wanted.length === 0 || wanted.some((pattern) => file.includes(pattern)))
    .filter((file) => !unwanted.some((pattern) => file.includes(pattern)))
    .toSorted();
}

/** Whole-process tests that take more than 20 s, longest first: last, one of them would run alone. */
const longTests = [
  'answers',
  'crash',
  'external',
  'backup',
  'root',
  'ops',
  'reload',
  'metrics',
  'start',
  'late-primary',
  'freshness',
];

/** 0 for the longest. */
function rankOf(file: string): number {
  const rank = longTests.findIndex((name) => file.endsWith(`/${name}.e2e.ts`));
  return rank === -1 ? longTests.length : rank;
}

const isAlone = (file: string): boolean => file.endsWith('.e2e.ts');
const needsDatabases = (file: string): boolean => file.endsWith('.pg.test.ts');
const runsDatabases = (file: string): boolean => needsDatabases(file) || isAlone(file);

async function runTests(files: readonly string[]): Promise<void> {
  await runGroup(
    files.filter((file) => !isAlone(file)),
    limits,
  );
  const alone = files.filter(isAlone).toSorted((one, other) => rankOf(one) - rankOf(other));
  await runGroup(alone, limitsAlone);
}

async function runGroup(files: readonly string[], groupLimits: TestLimits): Promise<void> {
  const paths = files.map((file) => join(root, file));
  await runTestFiles(paths, groupLimits, interrupt.signal, (path, outcome, ms) => {
    const count = outcome.passed + outcome.failures.length + outcome.skips.length;
    printStep(relative(root, path), ms, outcome, count === 1 ? '1 test' : `${count} tests`);
    addOutcome(sum, outcome);
  });
}

/** A part of the global set-up: counted only when it fails. Returns whether it did not. */
async function prepare(name: 'globalSetup' | 'globalTeardown'): Promise<boolean> {
  const startedAt = performance.now();
  const outcome = emptyOutcome();
  try {
    const { [name]: part } = await importGlobalSetup();
    await Promise.race([part?.(), deadline(name)]);
  } catch (error) {
    addFailure(outcome, name, inspect(error));
  }
  printStep(name, performance.now() - startedAt, outcome);
  addOutcome(sum, outcome);
  return outcome.failures.length === 0;
}

interface GlobalSetup {
  readonly globalSetup?: () => Promise<void>;
  readonly globalTeardown?: () => Promise<void>;
}

async function importGlobalSetup(): Promise<GlobalSetup> {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The names are node's; a missing one is skipped.
  return (await import(pathToFileURL(globalSetupFile).href)) as GlobalSetup;
}

async function deadline(name: string): Promise<never> {
  const { promise, reject } = Promise.withResolvers<never>();
  setTimeout(() => reject(new Error(`${name} took more than ${setupMs / 1000} s`)), setupMs).unref();
  return await promise;
}

async function runTestsWithDatabases(files: readonly string[]): Promise<void> {
  if (!existsSync(globalSetupFile) || !files.some(needsDatabases)) {
    await runTests(files);
    return;
  }
  const isReady = await prepare('globalSetup');
  await runTests(isReady ? files : files.filter((file) => !needsDatabases(file)));
  await prepare('globalTeardown');
}

/** A terminal's Ctrl-C comes twice: to the whole group, and once more from npm. */
const sameSignalMs = 300;
let interruptedAt = Number.NEGATIVE_INFINITY;

function onInterrupt(signal: NodeJS.Signals): void {
  if (performance.now() - interruptedAt < sameSignalMs) return;
  interruptedAt = performance.now();
  if (interrupt.signal.aborted) process.exit(128 + constants.signals[signal]);
  console.log(`\n${signal}: stopping; once more to stop at once`);
  addFailure(sum, `interrupted by ${signal}`, '');
  interrupt.abort();
}

process.chdir(root);
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, onInterrupt);
const patterns = process.argv.slice(2);
const files = findTests(patterns);
const closed = process.geteuid?.() === 0 && files.some(runsDatabases) ? explainClosedCheckout(root) : undefined;
if (closed !== undefined) {
  console.error(closed);
  process.exit(1);
}
if (patterns.length === 0) await runChecks();
if (files.length === 0)
  addFailure(sum, patterns.length === 0 ? 'there is no test' : `no test file matches ${patterns.join(' ')}`, '');
process.env['MESSENGER_TEST_SHARED'] = makeTemporaryFolder(); // See server/test/prepared-data.ts.
await runTestsWithDatabases(files);
// Explicit: what a killed test or a failed set-up left open must not keep a finished run alive.
process.exit(printSum(sum));
