/**
 * `npm test`: runs all test files, each in its own process, and prints a line per file. A pattern is a part of the
 * path: `npm test -- users` runs the files that match, `npm test -- '!.e2e.'` the others.
 */
import { globSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

import { explainClosedCheckout } from './closed-checkout.ts';
import { makeTemporaryFolder } from './temporary-folder.ts';
import { runTestFile, type FileResult } from './test-file.ts';

const root = join(import.meta.dirname, '..');
const testFiles = ['{protocol,client,server,scripts,loadtest}/**/*.test.ts', '{server,client}/test/**/*.e2e.ts'];
const limits = { testMs: 60_000, fileMs: 180_000 };

/** Whole servers have many processes. */
const serverLanes = 2;
/** Beside those. Most files wait for databases half of their time. */
const otherLanes = Math.min(4, availableParallelism());

/** Started first, so that no long file runs last, without others beside it. */
const longFiles =
  /\/(?:(?:answers|backup|freshness|ops|reload|root|sends)\.e2e|(?:backup|doctor|schemathesis)\.pg|(?:checks|lies)\.test)\./u;

/** Exports globalSetup and globalTeardown, like node's --test-global-setup, which would call them for each file. */
const globalSetupFile = join(root, 'server/test/global-setup.ts');
const setupMs = 120_000;

interface GlobalSetup {
  readonly globalSetup: () => Promise<void>;
  readonly globalTeardown: () => Promise<void>;
}

let passed = 0;
let skipped = 0;
const failures: string[] = [];

function findTests(patterns: readonly string[]): string[] {
  const unwanted = patterns.filter((pattern) => pattern.startsWith('!')).map((pattern) => pattern.slice(1));
  const wanted = patterns.filter((pattern) => !pattern.startsWith('!'));
  return globSync(testFiles, { cwd: root, exclude: ['**/node_modules/**'] })
    .filter((file) => wanted.length === 0 || wanted.some((pattern) => file.includes(pattern)))
    .filter((file) => !unwanted.some((pattern) => file.includes(pattern)))
    .toSorted((one, other) => Number(longFiles.test(other)) - Number(longFiles.test(one)) || (one < other ? -1 : 1));
}

/** Runs the files of one queue after the other. Lanes share queues. */
async function runLane(...queues: readonly Iterable<string>[]): Promise<void> {
  for (const queue of queues)
    for (const file of queue) {
      const startedAt = performance.now();
      const result = await runTestFile(join(root, file), limits);
      printFile(file, performance.now() - startedAt, result);
    }
}

/** One line, followed by the failures with the file's output, and the skipped tests. */
function printFile(file: string, ms: number, result: FileResult): void {
  const isOk = result.failures.length === 0;
  const count = result.passed + result.failures.length + result.skips.length;
  console.log(
    `${isOk ? '✔' : '✖'} ${file.padEnd(52)} ${(ms / 1000).toFixed(1).padStart(5)} s ${String(count).padStart(4)}`,
  );
  const lines = result.failures.map(({ name, reason }) => `✖ ${name}\n${reason}`);
  if (!isOk && result.output.length > 0) lines.push('output of the file:', result.output.join('').trimEnd());
  lines.push(...result.skips.map((skip) => `skipped: ${skip}`));
  for (const line of lines) console.log(line.replaceAll(/^/gmu, '    '));
  passed += result.passed;
  skipped += result.skips.length;
  failures.push(...result.failures.map(({ name }) => name));
}

/** The last line, for programs. */
function printSum(): void {
  if (failures.length > 0) console.log(`\nFailed:\n${failures.map((name) => `    ${name}`).join('\n')}`);
  console.log(`\n${passed} passed, ${failures.length} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
  process.exitCode = failures.length > 0 || passed === 0 ? 1 : 0;
}

/** test-guard.ts ends the processes of the test files. */
function stop(signal: NodeJS.Signals): void {
  failures.push(`interrupted by ${signal}`);
  printSum();
  process.exit();
}

const isE2e = (file: string): boolean => file.endsWith('.e2e.ts');
const needsDatabases = (file: string): boolean => file.endsWith('.pg.test.ts');

async function startDatabases(): Promise<GlobalSetup> {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The names are node's.
  const setup = (await import(pathToFileURL(globalSetupFile).href)) as GlobalSetup;
  const timeout = setTimeout(() => {
    console.error(`The test databases did not start within ${setupMs / 1000} s.`);
    process.exit(1);
  }, setupMs);
  await setup.globalSetup();
  clearTimeout(timeout);
  return setup;
}

async function runAll(files: readonly string[]): Promise<void> {
  const databases = files.some(needsDatabases) ? await startDatabases() : undefined;
  const servers = files.filter(isE2e).values();
  const others = files.filter((file) => !isE2e(file)).values();
  await Promise.all([
    ...Array.from({ length: serverLanes }, async () => runLane(servers, others)),
    ...Array.from({ length: otherLanes }, async () => runLane(others)),
  ]);
  await databases?.globalTeardown();
}

process.chdir(root);
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, stop);
const patterns = process.argv.slice(2);
const files = findTests(patterns);
const runsDatabases = files.some((file) => needsDatabases(file) || isE2e(file));
const closed = process.geteuid?.() === 0 && runsDatabases ? explainClosedCheckout(root) : undefined;
if (closed !== undefined) {
  console.error(closed);
  process.exit(1);
}
if (files.length === 0)
  failures.push(patterns.length === 0 ? 'there is no test' : `no test file matches ${patterns.join(' ')}`);
process.env['MESSENGER_TEST_SHARED'] = makeTemporaryFolder(); // See server/src/embedded/test-data.ts.
await runAll(files);
printSum();
// A file that timed out may still run.
process.exit();
