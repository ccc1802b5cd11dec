import { fork, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { setTimeout as sleep } from 'node:timers/promises';

import { parseExposition } from '../exposition.ts';
import { waitFor } from '../wait-for.ts';
import { calls, isOk, type Client } from './client.ts';
import { percentile, type Finding, type Run } from './part.ts';
import type { System } from './system.ts';

export interface CrowdOptions {
  /** Silent connections; they reconnect when they are closed. */
  readonly silent: number;
  readonly perSecond: number;
  /** With all of them connected. */
  readonly seconds: number;
}

const program = fileURLToPath(new URL('silent-clients.ts', import.meta.url));

/** Maximum per client process, which has its own limit of open files. */
const mostPerProcess = 15_000;
const askEveryMs = 25;

/** More silent connections than the server allows: other clients are served throughout, and no process ends. */
export async function proveCrowd(system: System, options: CrowdOptions, run: Run): Promise<Finding> {
  const workers = new Set(system.workers);
  const crowd = new Crowd(system.url, options);
  const asked = [new Asking(system.client(1, run.random)), new Asking(system.client(1, run.random))] as const;
  const over = new AbortController();
  const asking = Promise.all([asked[0].ask(over.signal, true), asked[1].ask(over.signal, false)]);
  try {
    await waitFor('the silent clients to connect', () => crowd.opened >= options.silent || run.signal.aborted, 120_000);
    await sleep(options.seconds * 1_000, undefined, { signal: run.signal }).catch(() => undefined);
  } finally {
    over.abort();
    await asking;
    crowd.end();
  }
  const shed = await shedOf(system);
  const after = system.workers;
  const failed = asked.flatMap(({ failures }) => failures);
  const [newOnes, kept] = asked.map(
    ({ latencies }) => `${latencies.length} (p99 ${percentile(latencies, 0.99).toFixed(0)} ms)`,
  );
  return {
    figures:
      `${crowd.opened} silent connections, ${shed} of them evicted; requests on new connections: ${newOnes}, ` +
      `on one that is kept: ${kept}; failed: ${failed.length}`,
    violations: [
      ...failed,
      ...(shed === 0 ? ['no connection was closed to make room: the limit was not met'] : []),
      ...(after.some((pid) => !workers.has(pid)) ? ['a worker was replaced'] : []),
      ...(/a worker ended/u.test(system.log) ? ['a worker ended'] : []),
    ],
  };
}

class Crowd {
  readonly #processes: ChildProcess[] = [];
  readonly #opened = new Map<ChildProcess, number>();

  constructor(url: string, { silent, perSecond }: CrowdOptions) {
    const count = Math.ceil(silent / mostPerProcess);
    for (let n = 0; n < count; n += 1) {
      const args = [new URL(url).port, Math.ceil(silent / count), Math.ceil(perSecond / count)].map(String);
      const child = fork(program, args);
      child.on('message', (told: { readonly opened: number }) => this.#opened.set(child, told.opened));
      this.#processes.push(child);
    }
  }

  get opened(): number {
    return [...this.#opened.values()].reduce((sum, one) => sum + one, 0);
  }

  end(): void {
    for (const child of this.#processes) child.kill('SIGKILL');
  }
}

/** A client that sends requests repeatedly, and their results. */
class Asking {
  readonly #client: Client;
  readonly latencies: number[] = [];
  readonly failures: string[] = [];

  constructor(client: Client) {
    this.#client = client;
  }

  async ask(signal: AbortSignal, isNewEachTime: boolean): Promise<void> {
    while (!signal.aborted) {
      const answer = await this.#client.call(calls.list(1));
      this.latencies.push(answer.ms);
      if (!isOk(answer)) this.failures.push(`a request was not answered: ${answer.failure ?? answer.status}`);
      if (isNewEachTime) this.#client.close();
      await sleep(askEveryMs);
    }
    this.#client.close();
  }
}

/** Silent connections evicted for new ones so far. */
async function shedOf({ url }: System): Promise<number> {
  const answer = await fetch(`${url}/metrics`, { headers: { connection: 'close' } });
  const { samples } = parseExposition(await answer.text());
  const ofSilent = samples.filter(
    ({ name, labels }) => name === 'messenger_http_connections_shed_total' && labels['reason'] === 'silent',
  );
  return ofSilent.reduce((sum, { value }) => sum + value, 0);
}
