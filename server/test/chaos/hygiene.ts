import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

import { parseExposition } from '../exposition.ts';
import { calls, isOk, type Client } from './client.ts';
import { heapAfterCollection, inspectorsIn } from './inspector.ts';
import { percentile, type Finding, type Run } from './part.ts';
import type { System } from './system.ts';

export interface HygieneOptions {
  readonly minutes: number;
  /** Number of samples; a third of them gives a median. */
  readonly samples: number;
  readonly clients: number;
}

const probeEveryMs = 50;
const pageBytes = 4_096;
const mib = 1024 * 1024;

/**
 * The measured values, and their allowed growth from the middle third to the last one, by medians. The first third is
 * the warm-up. The slack covers random effects of pools and garbage collection.
 */
const watched = {
  'memory of the workers (MiB)': { factor: 1.1, slack: 16 },
  'heap of the processes after collection (MiB)': { factor: 1.1, slack: 4 },
  'memory of the supervisor (MiB)': { factor: 1.1, slack: 8 },
  'open files of the workers': { factor: 1.1, slack: 12 },
  'sessions on the primary': { factor: 1.1, slack: 6 },
  'sessions on the standby': { factor: 1.1, slack: 6 },
  'event-loop delay, 99 % (ms)': { factor: 2, slack: 20 },
  'time to answer /livez (ms)': { factor: 2, slack: 20 },
} as const;

type Watched = keyof typeof watched;
type Sample = Readonly<Record<Watched, number>>;

/** Mixed load with churn: users and connections come and go, some during a request. Nothing may keep growing. */
export async function proveHygiene(system: System, options: HygieneOptions, run: Run): Promise<Finding> {
  return await new Hygiene(system, options, run).prove();
}

class Hygiene {
  readonly #system: System;
  readonly #options: HygieneOptions;
  readonly #run: Run;
  readonly #over = new AbortController();
  readonly #samples: Sample[] = [];
  readonly #failures = new Map<string, number>();
  #latencies: number[] = [];
  #requests = 0;
  #connections = 0;

  constructor(system: System, options: HygieneOptions, run: Run) {
    this.#system = system;
    this.#options = options;
    this.#run = run;
  }

  async prove(): Promise<Finding> {
    const users = Array.from({ length: this.#options.clients }, async () => this.#live());
    const living = Promise.all([...users, this.#probe()]).finally(() => this.#over.abort());
    living.catch(() => undefined); // Reported below, even if it fails before it is awaited.
    try {
      const { minutes, samples } = this.#options;
      const everyMs = (minutes * 60_000) / samples;
      while (this.#samples.length < samples && !this.#run.signal.aborted) {
        await sleep(everyMs, undefined, { signal: this.#run.signal }).catch(() => undefined);
        await this.#sample();
      }
    } finally {
      this.#over.abort();
      await living;
    }
    return this.#judge();
  }

  async #live(): Promise<void> {
    const { random } = this.#run;
    while (!this.#over.signal.aborted) {
      const client = this.#system.client(random.between(1, 3), random);
      this.#connections += 1;
      for (let left = random.between(1, 20); left > 0; left -= 1) await this.#useOnce(client);
      // Some disconnect during a request.
      const last = random.chance(0.3) ? client.call(calls.list(100)) : undefined;
      if (last !== undefined) await sleep(random.between(0, 3));
      client.close();
      await last;
    }
  }

  async #useOnce(client: Client): Promise<void> {
    await sleep(this.#run.random.between(0, 30));
    const created = await client.call(calls.create('Ada', 'Lovelace'));
    this.#count(created.status, created.failure);
    if (!isOk(created)) return;
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- A wrong body makes the calls below fail.
    const { id } = JSON.parse(created.body) as { id: string };
    const rest = [calls.get(id, created.token), calls.list(20), calls.rename(id, 'Grace', 'Hopper'), calls.remove(id)];
    for (const request of rest) {
      const { status, failure } = await client.call(request);
      this.#count(status, failure);
    }
  }

  #count(status: number, failure: string | undefined): void {
    this.#requests += 1;
    if (isOk({ status })) return;
    const kind = failure ?? String(status);
    this.#failures.set(kind, (this.#failures.get(kind) ?? 0) + 1);
  }

  /** The latency of `/livez`: a client's view of a blocked event loop. */
  async #probe(): Promise<void> {
    const client = this.#system.client(6, this.#run.random);
    while (!this.#over.signal.aborted) {
      const { ms } = await client.call({ method: 'GET', path: '/livez' });
      this.#latencies.push(ms);
      await sleep(probeEveryMs);
    }
    client.close();
  }

  async #sample(): Promise<void> {
    const { workers, supervisor, log } = this.#system;
    const heaps = await Promise.all(inspectorsIn(log).map(heapAfterCollection));
    const sample: Sample = {
      'memory of the workers (MiB)': sum(workers.map(residentBytes)) / mib,
      'heap of the processes after collection (MiB)': sum(heaps.map((bytes) => bytes ?? 0)) / mib,
      'memory of the supervisor (MiB)': residentBytes(supervisor) / mib,
      'open files of the workers': sum(workers.map(openFiles)),
      'sessions on the primary': await this.#sessions('write'),
      'sessions on the standby': await this.#sessions('read'),
      'event-loop delay, 99 % (ms)': await this.#eventLoopDelayMs(),
      'time to answer /livez (ms)': percentile(this.#latencies, 0.5),
    };
    this.#latencies = [];
    this.#samples.push(sample);
    this.#run.say(`hygiene: ${this.#requests} requests; ${Object.values(sample).map(Math.round).join(', ')}`);
  }

  /** Since the last sample, of the worst worker. */
  async #eventLoopDelayMs(): Promise<number> {
    const answer = await fetch(`${this.#system.url}/metrics`, { headers: { connection: 'close' } });
    const { samples } = parseExposition(await answer.text());
    const isWanted = ({ name, labels }: (typeof samples)[number]): boolean =>
      name === 'messenger_event_loop_delay_seconds' && labels['percentile'] === '99';
    const delay = samples.find(isWanted);
    if (delay === undefined) throw new Error('the metrics lack the event-loop delay');
    return delay.value * 1_000;
  }

  async #sessions(role: 'write' | 'read'): Promise<number> {
    const asked = `select count(*)::int as n from pg_stat_activity where application_name like 'messenger ${role}%'`;
    const [row] = await this.#system.sql<{ n: number }>(role, asked);
    return row?.n ?? 0;
  }

  #judge(): Finding {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The keys of a constant.
    const thirds = (Object.keys(watched) as Watched[]).map((name) => ({ name, medians: this.#thirdsOf(name) }));
    const grown = thirds.filter(
      ({ name, medians: [, middle, last] }) => last > middle * watched[name].factor + watched[name].slack,
    );
    const table = thirds.map(({ name, medians }) => `${name} ${medians.map(Math.round).join(' → ')}`).join('; ');
    const failures = [...this.#failures].map(([kind, count]) => `${count} × ${kind}`);
    const violations = [
      ...grown.map(({ name, medians }) => `${name} keeps growing: ${medians.map(Math.round).join(' → ')}`),
      ...failures.filter((text) => !text.endsWith('503')),
    ];
    const figures =
      `${this.#requests} requests over ${this.#connections} clients with churn, ` +
      `failed: ${failures.join(', ') || 'none'}; medians by thirds: ${table}`;
    return { figures, violations };
  }

  #thirdsOf(name: Watched): readonly [number, number, number] {
    const third = this.#samples.length / 3;
    const median = (from: number): number =>
      percentile(
        this.#samples.slice(Math.floor(from * third), Math.floor((from + 1) * third)).map((sample) => sample[name]),
        0.5,
      );
    return [median(0), median(1), median(2)];
  }
}

function residentBytes(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]) * pageBytes;
}

/** Without the sockets that listen: a worker opens all of them when the load needs it, and closes them afterwards. */
function openFiles(pid: number): number {
  const isListening = '0A';
  const sockets = readFileSync(`/proc/${pid}/net/tcp`, 'utf8')
    .split('\n')
    .map((line) => line.trim().split(/\s+/u));
  const listening = new Set(
    sockets.filter((fields) => fields[3] === isListening).map((fields) => `socket:[${fields[9]}]`),
  );
  return readdirSync(`/proc/${pid}/fd`).filter((fd) => !listening.has(targetOf(`/proc/${pid}/fd/${fd}`))).length;
}

/** Empty for a file that was closed meanwhile. */
function targetOf(link: string): string {
  try {
    return readlinkSync(link);
  } catch {
    return '';
  }
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
