import { relative } from 'node:path';
import { run } from 'node:test';
import type { TestEvent } from 'node:test/reporters';
import { inspect } from 'node:util';

export interface Limits {
  /** Of one test. */
  readonly testMs: number;
  /** Per file. node:test has no such limit: a file that loops, or hangs outside of its tests, would never end. */
  readonly fileMs: number;
}

export interface FileResult {
  passed: number;
  readonly failures: { readonly name: string; readonly reason: string }[];
  /** Names with reasons. */
  readonly skips: string[];
  readonly output: string[];
}

type Failure = Extract<TestEvent, { type: 'test:fail' }>;
type Result = Failure | Extract<TestEvent, { type: 'test:pass' }>;

const guard = import.meta.resolve('./test-guard.ts');
const dyingMs = 3_000;

/** Runs a test file in its own process. */
export async function runTestFile(file: string, { testMs, fileMs }: Limits): Promise<FileResult> {
  const record = new FileRecord(file);
  const signal = AbortSignal.timeout(fileMs);
  const { promise: dead, resolve } = Promise.withResolvers<void>();
  // The process gets SIGTERM, which it may handle.
  signal.addEventListener('abort', () => setTimeout(resolve, dyingMs), { once: true });
  const listen = async (): Promise<void> => {
    const events: AsyncIterable<TestEvent> = run({
      files: [file],
      timeout: testMs,
      signal,
      execArgv: ['--import', guard],
    });
    for await (const event of events) record.hear(event);
  };
  await Promise.race([listen(), dead]);
  return record.close(signal.aborted ? `took more than ${fileMs / 1000} s` : undefined);
}

class FileRecord {
  readonly #file: string;
  readonly #title: string;
  readonly #result: FileResult = { passed: 0, failures: [], skips: [], output: [] };
  /** The suites around the current test, and the test. */
  readonly #path: string[] = [];
  /** Counted by the file at its end; undefined when it ended early. */
  #tests: number | undefined;

  constructor(file: string) {
    this.#file = file;
    this.#title = relative(process.cwd(), file);
  }

  hear(event: TestEvent): void {
    if (event.type === 'test:stdout' || event.type === 'test:stderr') this.#result.output.push(event.data.message);
    else if (event.type === 'test:summary' && event.data.file !== undefined) this.#tests = event.data.counts.tests;
    else if (event.type === 'test:start') this.#enter(event.data);
    else if (event.type === 'test:pass' || event.type === 'test:fail') this.#judge(event);
  }

  #enter({ name, nesting }: { readonly name: string; readonly nesting: number }): void {
    this.#path.splice(nesting, Number.POSITIVE_INFINITY, name);
  }

  /** The exit code does not show whether all tests of a file ran. */
  close(killed: string | undefined): FileResult {
    if (killed !== undefined) this.#fail(this.#title, killed);
    else if (this.#result.failures.length > 0) return this.#result;
    else if (this.#tests === undefined) this.#fail(this.#title, 'ended before its tests: does it call process.exit?');
    else if (this.#tests === 0) this.#fail(this.#title, 'contains no test');
    return this.#result;
  }

  #judge({ type, data }: Result): void {
    this.#enter(data);
    const name = [this.#title, ...this.#path].join(' › ');
    if (data.name === this.#file) this.#judgeProcess(type);
    else if (data.todo !== undefined) this.#fail(name, 'is a todo');
    else if (typeof data.skip === 'string') this.#result.skips.push(`${name}: ${data.skip}`);
    else if (data.skip !== undefined) this.#fail(name, 'is skipped without a reason');
    else if (type === 'test:fail') this.#blame(name, data);
    else if (data.details.type !== 'suite') this.#result.passed += 1;
  }

  /** node:test reports the process of a file as a test. */
  #judgeProcess(type: Result['type']): void {
    if (type === 'test:fail') this.#fail(this.#title, 'its process failed');
  }

  #blame(name: string, { details: { error, type } }: Failure['data']): void {
    const isOfParts = 'failureType' in error && error.failureType === 'subtestsFailed';
    if (isOfParts && type === 'suite') return; // Its tests are counted.
    this.#fail(name, isOfParts ? 'a subtest failed' : describe(error.cause ?? error));
  }

  #fail(name: string, reason: string): void {
    this.#result.failures.push({ name, reason });
  }
}

/** The message of a failed assertion already contains what `inspect` would print. */
function describe(error: unknown): string {
  const isAssertion = error instanceof Error && 'code' in error && error.code === 'ERR_ASSERTION';
  const description = isAssertion ? (error.stack ?? error.message) : inspect(error);
  return description.replaceAll(/\n +at [^\n]*node:internal[^\n]*?(?=(?: \{)?(?:\n|$))/gu, '');
}
