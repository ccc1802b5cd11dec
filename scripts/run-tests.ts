/** Runs test files, each in a process of its own, and counts their tests. */
import { relative } from 'node:path';
import { run } from 'node:test';
import type { TestEvent } from 'node:test/reporters';
import { inspect } from 'node:util';

import { addFailure, emptyOutcome, type Outcome } from './outcome.ts';

/** How long tests may take, and how many files run at once. */
export interface TestLimits {
  readonly concurrency: number;
  /** One test. */
  readonly testMs: number;
  /** Above this without any news, a file is killed: it spins, or hangs outside of its tests. More than `testMs`. */
  readonly silenceMs: number;
}

type Result = Extract<TestEvent, { type: 'test:pass' | 'test:fail' }>;
type Failure = Extract<TestEvent, { type: 'test:fail' }>;

const dyingMs = 3_000;

/** Runs the files (absolute paths), and calls `onFile` as each one ends. Ends early when `signal` aborts. */
export async function runTestFiles(
  files: readonly string[],
  limits: TestLimits,
  signal: AbortSignal,
  onFile: (file: string, outcome: Outcome, ms: number) => void,
): Promise<void> {
  const waiting = files.values();
  const takeTurns = async (): Promise<void> => {
    for (const file of waiting) {
      if (signal.aborted) return;
      const startedAt = performance.now();
      const outcome = await runTestFile(file, limits, signal);
      onFile(file, outcome, performance.now() - startedAt);
    }
  };
  await Promise.all(Array.from({ length: limits.concurrency }, takeTurns));
}

/** node:test limits the time of a test, but not of a file: `silenceMs` does. */
async function runTestFile(file: string, limits: TestLimits, signal: AbortSignal): Promise<Outcome> {
  const record = new FileRecord(file);
  const silence = new AbortController();
  const timer = setTimeout(() => silence.abort(), limits.silenceMs);
  const ended = AbortSignal.any([signal, silence.signal]);
  const events: AsyncIterable<TestEvent> = run({
    files: [file],
    timeout: limits.testMs,
    signal: ended,
    execArgv: ['--import', import.meta.resolve('./test-guard.ts')],
  });
  const listen = async (): Promise<void> => {
    for await (const event of events) {
      timer.refresh();
      record.hear(event);
    }
  };
  await Promise.race([listen(), afterwards(ended)]);
  clearTimeout(timer);
  return record.close(silence.signal.aborted ? `killed after ${limits.silenceMs / 1000} s without news` : undefined);
}

/** Resolves when the process of a file has had its time to die of SIGTERM, which it may have caught. */
async function afterwards(ended: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  ended.addEventListener('abort', () => setTimeout(resolve, dyingMs), { once: true });
  await promise;
}

/** Gathers what node:test says about one file. */
class FileRecord {
  readonly #file: string;
  readonly #title: string;
  readonly #outcome = emptyOutcome();
  readonly #output: string[] = [];
  /** The names of the suites around the current test, then its own. */
  readonly #path: string[] = [];
  /** The number that the file itself counted at its end; none when it did not come to that. */
  #tests: number | undefined;

  constructor(file: string) {
    this.#file = file;
    this.#title = relative(process.cwd(), file);
  }

  hear(event: TestEvent): void {
    if (event.type === 'test:stdout' || event.type === 'test:stderr') this.#output.push(event.data.message);
    else if (event.type === 'test:start') this.#enter(event.data.name, event.data.nesting);
    else if (event.type === 'test:pass' || event.type === 'test:fail') this.#judge(event);
    else if (event.type === 'test:summary' && event.data.file !== undefined) this.#tests = event.data.counts.tests;
  }

  /** A process that ended well may still have run nothing, or have left in the middle. */
  close(killed: string | undefined): Outcome {
    const outcome = this.#outcome;
    if (killed !== undefined) addFailure(outcome, this.#title, killed);
    else if (outcome.failures.length === 0) this.#doubt();
    const output = this.#output.join('');
    if (outcome.failures.length > 0 && output !== '') outcome.report.push('output of the file:', output);
    return outcome;
  }

  #doubt(): void {
    if (this.#tests === 0) addFailure(this.#outcome, this.#title, 'holds no test');
    if (this.#tests === undefined)
      addFailure(this.#outcome, this.#title, 'ended before its tests did: does something call process.exit?');
  }

  #enter(name: string, nesting: number): void {
    this.#path.splice(nesting, Number.POSITIVE_INFINITY, name);
  }

  #judge({ type, data }: Result): void {
    this.#enter(data.name, data.nesting);
    const name = [this.#title, ...this.#path].join(' › ');
    if (data.name === this.#file) this.#judgeProcess(type);
    else if (data.todo !== undefined) addFailure(this.#outcome, name, 'a todo is not done');
    else if (typeof data.skip === 'string') this.#outcome.skips.push({ name, reason: data.skip });
    else if (data.skip !== undefined) addFailure(this.#outcome, name, 'skipped without a reason');
    else if (type === 'test:fail') this.#blame(name, data);
    else if (data.details.type !== 'suite') this.#outcome.passed += 1;
  }

  /** node:test reports a file as if it were a test: failed when its process did, passed when it reported no test. */
  #judgeProcess(type: Result['type']): void {
    if (type === 'test:fail') addFailure(this.#outcome, this.#title, 'its process failed');
  }

  #blame(name: string, { details: { error, type } }: Failure['data']): void {
    const isOfParts = 'failureType' in error && error.failureType === 'subtestsFailed';
    if (isOfParts && type === 'suite') return; // Its tests are counted.
    addFailure(this.#outcome, name, isOfParts ? 'one of its parts failed' : describe(error.cause ?? error));
  }
}

/** The message of a failed assertion says everything that `inspect` would show again. */
function describe(error: unknown): string {
  const isAssertion = error instanceof Error && 'code' in error && error.code === 'ERR_ASSERTION';
  const description = isAssertion ? (error.stack ?? error.message) : inspect(error);
  return description.replaceAll(/\n +at [^\n]*node:internal[^\n]*?(?=(?: \{)?(?:\n|$))/gu, '');
}
