import { setTimeout as sleep } from 'node:timers/promises';

import type { Role } from '../../src/db/pool.ts';
import { waitFor } from '../wait-for.ts';
import type { Aftermath, Cause } from './causes.ts';
import { answerMs, calls, isOk, type Client, type Outcome } from './client.ts';
import { percentile, type Finding, type Run } from './part.ts';
import type { System } from './system.ts';

export interface AnswersOptions {
  readonly causes: readonly Cause[];
  readonly clients: number;
  /** The promised time of a read and a write, including queueing. */
  readonly promisedMs: { readonly [role in Role]: number };
  /** For tests: a light load, continues as soon as all works again, and tolerates a busy machine. */
  readonly isShort: boolean;
}

/** From the end of the fault until everything works again. */
const wholeMs = 5_000;
const patientMs = 10_000;
/** The observation time after that. */
const watchedMs = 1_500;
/** After this long without failures, everything works again. */
const calmMs = 700;
/** Allowance for a busy machine: event-loop turns of a worker and of this process last hundreds of ms. */
const machineMs = 1_000;
/** How long clients may see the end of a worker. */
const cutMs = 1_000;

/** The stored part of an outcome. */
type Record = Pick<Outcome, 'startedAt' | 'ms' | 'status' | 'failure' | 'worker'> & {
  readonly method: string;
  readonly by: 'reader' | 'writer';
};

/**
 * Causes one fault after the other under load: every request is answered in time and correctly, reads continue while
 * only the standby is at fault, and five seconds after the end of the fault everything works again without
 * intervention.
 */
export async function proveAnswers(
  system: System,
  { causes, clients, promisedMs, isShort }: AnswersOptions,
  run: Run,
): Promise<Finding> {
  const violations: string[] = [];
  const lines: string[] = [];
  const steady = await createSteady(system, run);
  for (const cause of causes) {
    if (run.signal.aborted) break;
    const found = await new Trial(system, cause, steady, run, { promisedMs, isShort }).watch(clients);
    violations.push(...found.violations.map((violation) => `when ${cause.name}: ${violation}`));
    lines.push(found.figures);
    run.say(`answers: when ${cause.name}: ${found.figures}`);
  }
  return { figures: `${lines.length} causes, ${violations.length} violations`, violations };
}

/** A user that nobody changes, and that both servers have. */
interface Steady {
  readonly id: string;
  readonly token: string | undefined;
}

async function createSteady(system: System, { random }: Run): Promise<Steady> {
  const client = system.client(1, random);
  const { body, token } = await client.call(calls.create('Ada', 'Lovelace'));
  client.close();
  await system.replicated();
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- A wrong body makes every read of it fail.
  return { id: (JSON.parse(body) as { id: string }).id, token };
}

class Trial {
  readonly #system: System;
  readonly #cause: Cause;
  readonly #steady: Steady;
  readonly #run: Run;
  readonly #promisedMs: AnswersOptions['promisedMs'];
  readonly #isShort: boolean;
  readonly #wholeMs: number;
  readonly #records: Record[] = [];
  readonly #violations: string[] = [];
  readonly #over = new AbortController();

  constructor(
    system: System,
    cause: Cause,
    steady: Steady,
    run: Run,
    { promisedMs, isShort }: Pick<AnswersOptions, 'promisedMs' | 'isShort'>,
  ) {
    this.#system = system;
    this.#cause = cause;
    this.#steady = steady;
    this.#run = run;
    this.#promisedMs = promisedMs;
    this.#isShort = isShort;
    this.#wholeMs = isShort ? patientMs : wholeMs;
  }

  async watch(clients: number): Promise<Finding> {
    const living = Promise.all(
      Array.from({ length: clients }, async (_, n) => (n % 3 === 0 ? this.#look() : this.#live())),
    ).finally(() => this.#over.abort());
    living.catch(() => undefined); // Reported below, even if it fails before it is awaited.
    try {
      await waitFor('the load', () => this.#records.length > clients * 5);
      const beganAt = performance.now();
      const aftermath = await this.#cause.happen(this.#system, this.#run.random);
      const endedAt = performance.now();
      await (this.#isShort ? this.#becomeCalm(endedAt) : this.#stayWhole());
      this.#over.abort();
      await living;
      return this.#judge(beganAt, endedAt, aftermath ?? {});
    } finally {
      this.#over.abort();
      await living;
    }
  }

  /** Waits for the promised time, then watches; reports a worker that is not ready. */
  async #stayWhole(): Promise<void> {
    await sleep(this.#wholeMs);
    this.#violations.push(...(await this.#findUnready()));
    await sleep(watchedMs);
  }

  /** Resolves when everything works again; reports a violation when it does not. */
  async #becomeCalm(endedAt: number): Promise<void> {
    const isCalm = async (): Promise<boolean> => {
      const since = Math.max(endedAt, performance.now() - calmMs);
      if (performance.now() < endedAt + calmMs) return false;
      const latest = this.#records.filter(({ startedAt }) => startedAt >= since);
      const isTried = ['GET', 'POST', 'PUT', 'DELETE'].every((one) => latest.some(({ method }) => method === one));
      return isTried && latest.every(isOk) && (await this.#findUnready()).length === 0;
    };
    await waitFor('everything to work again', isCalm, this.#wholeMs).catch((error: unknown) =>
      this.#violations.push(String(error)),
    );
  }

  /** A client that makes all five calls repeatedly. */
  async #live(): Promise<void> {
    const client = this.#system.client(2, this.#run.random);
    while (!this.#over.signal.aborted) {
      await this.#pause();
      await this.#useOnce(client);
    }
    client.close();
  }

  /** A client that only reads, with an old token: the standby alone can answer. */
  async #look(): Promise<void> {
    const client = this.#system.client(2, this.#run.random);
    const { id, token } = this.#steady;
    while (!this.#over.signal.aborted) {
      await this.#pause();
      await this.#call(client, calls.get(id, this.#run.random.chance(0.3) ? undefined : token), 'reader');
      await this.#call(client, calls.list(5, token), 'reader');
    }
    client.close();
  }

  async #pause(): Promise<void> {
    await sleep(this.#run.random.between(0, this.#isShort ? 60 : 20));
  }

  async #useOnce(client: Client): Promise<void> {
    const created = await this.#call(client, calls.create('Ada', 'Lovelace'));
    if (!isOk(created)) return;
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- A wrong body makes the calls below fail.
    const { id } = JSON.parse(created.body) as { id: string };
    await this.#call(client, calls.get(id, created.token));
    await this.#call(client, calls.list(20, created.token));
    await this.#call(client, calls.rename(id, 'Grace', 'Hopper'));
    await this.#call(client, calls.remove(id));
  }

  async #call(client: Client, request: Outcome['request'], by: Record['by'] = 'writer'): Promise<Outcome> {
    const outcome = await client.call(request);
    const { startedAt, ms, status, failure, worker } = outcome;
    this.#records.push({ by, method: request.method, startedAt, ms, status, failure, worker });
    return outcome;
  }

  /** Why the server is not whole: a worker that is not ready, or is missing. */
  async #findUnready(): Promise<string[]> {
    await sleep(1_100); // A worker checks its primary at most once a second.
    const client = this.#system.client(1, this.#run.random);
    const { status, worker = '' } = await client.call({ method: 'GET', path: '/readyz' });
    client.close();
    const metrics = await fetch(`${this.#system.url}/metrics`, { headers: { connection: 'close' } });
    return [
      ...(status === 200 ? [] : [`worker ${worker} is not ready when everything should work again: ${status}`]),
      ...((await metrics.text()).includes('messenger_workers{state="serving"} 2\n') ? [] : ['a worker is missing']),
    ];
  }

  /** No read fails while only the standby is at fault; while the primary is, no read of long-known users fails. */
  #checkReads(failed: readonly Record[]): void {
    const { touches } = this.#cause;
    const spared = failed.filter(({ by }) => touches === 'standby' || (touches === 'primary' && by === 'reader'));
    if (spared.length > 0) this.#violations.push(`${spared.length} reads failed (${describe(spared)})`);
  }

  /** Every answer, successful or not, arrived within the promised time. */
  #checkTimes(records: readonly Record[]): void {
    for (const [role, promisedMs] of Object.entries(this.#promisedMs)) {
      const late = records.filter(
        ({ method, failure, ms }) =>
          failure === undefined && (method === 'GET') === (role === 'read') && ms > promisedMs + machineMs,
      );
      const longest = Math.max(...late.map(({ ms }) => ms));
      if (late.length > 0)
        this.#violations.push(
          `${late.length} answers to a ${role} came late (${describe(late)}), after ${seconds(longest)}`,
        );
    }
  }

  #judge(beganAt: number, endedAt: number, aftermath: Aftermath): Finding {
    const records = this.#records.filter(({ startedAt, ms }) => startedAt + ms >= beganAt);
    const failed = records.filter((record) => !isOk(record));
    const reads = records.filter(({ method }) => method === 'GET');
    const failedReads = reads.filter((record) => !isOk(record));
    for (const record of failed) {
      const why = objection(record, { beganAt, endedAt, wholeAt: endedAt + this.#wholeMs, ...aftermath });
      if (why !== undefined) this.#violations.push(why);
    }
    this.#checkReads(failedReads);
    this.#checkTimes(records);
    const lastAt = Math.max(endedAt, ...failed.map(({ startedAt, ms }) => startedAt + ms));
    const longest = Math.max(...records.map(({ ms }) => ms));
    const longestRead = Math.max(...reads.map(({ ms }) => ms));
    const figures =
      `${records.length} requests, ${failed.length} failed (${describe(failed)}), of them ${failedReads.length} reads; ` +
      `recovered ${seconds(lastAt - endedAt)} after its end; longest ${seconds(longest)}, longest read ` +
      `${seconds(longestRead)}, median ${Math.round(
        percentile(
          records.map(({ ms }) => ms),
          0.5,
        ),
      )} ms`;
    return { figures, violations: this.#violations };
  }
}

interface Circumstances extends Aftermath {
  readonly beganAt: number;
  readonly endedAt: number;
  /** From then on nothing may fail. */
  readonly wholeAt: number;
}

/** Why this failure violates a promise; undefined when it does not. */
function objection(record: Record, { beganAt, endedAt, wholeAt, killedWorker }: Circumstances): string | undefined {
  const { method, startedAt, ms, status, failure, worker } = record;
  const what = `${method} on worker ${worker ?? 'unknown'}, ${seconds(startedAt - beganAt)} after its begin`;
  if (failure === 'late' || ms > answerMs) return `${what}: no answer within ${seconds(ms)}`;
  if (failure !== undefined) {
    const isOfVictim = worker === undefined || worker.startsWith(`${killedWorker}-`);
    const isThen = startedAt + ms - beganAt < cutMs + (endedAt - beganAt);
    return killedWorker !== undefined && isOfVictim && isThen ? undefined : `${what}: ${failure}`;
  }
  if (status !== 503 && status !== 504 && status !== 408) return `${what}: answered ${status}`;
  return startedAt > wholeAt ? `${what}: answered ${status}, when everything should work again` : undefined;
}

function describe(failed: readonly Record[]): string {
  const kinds = Map.groupBy(failed, ({ failure, status }) => failure ?? String(status));
  return kinds.size === 0 ? 'none' : [...kinds].map(([kind, { length }]) => `${length} × ${kind}`).join(', ');
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(2)} s`;
}
