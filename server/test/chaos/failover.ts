import { waitFor } from '../wait-for.ts';
import { childrenOf, run as start, type Run as Server } from '../start-server.ts';
import { TcpProxy } from '../tcp-proxy.ts';
import { TestServer } from '../../src/embedded/test-server.ts';
import { Client } from './client.ts';
import { FailoverLoad } from './failover-load.ts';
import { judgeFailover, type Moments } from './failover-judge.ts';
import type { Finding, Run } from './part.ts';

/** How the old primary ends, and how clients of the database find the new one. */
export type Drill = 'killed' | 'frozen' | 'read-only' | 'alive' | 'demoted' | 'name moves';

export const drills: readonly Drill[] = ['killed', 'frozen', 'read-only', 'alive', 'demoted', 'name moves'];

const startMs = 30_000;
/** Under load before the failover, and after it. */
const beforeMs = 1_000;
const afterMs = 4_000;

/**
 * A primary and its standby as operators have them, and a server with two workers. Under load, the standby is promoted:
 * writes resume within 5 s, reads continue, nothing is stale, and nothing restarts. Then the old primary becomes a
 * standby of the new one, and the next drill goes the other way.
 */
export async function proveFailover(wanted: readonly Drill[], run: Run): Promise<Finding> {
  const pair = await Pair.create(run);
  const figures: string[] = [];
  const violations: string[] = [];
  try {
    for (const drill of wanted) {
      if (run.signal.aborted) break;
      const found = await pair.drill(drill);
      figures.push(`${drill}: ${found.figures}`);
      violations.push(...found.violations.map((one) => `${drill}: ${one}`));
    }
  } finally {
    await pair.destroy();
  }
  return { figures: figures.join('; '), violations };
}

class Pair {
  readonly #run: Run;
  #primary: TestServer;
  #standby: TestServer;
  readonly #proxy: TcpProxy;
  #server: Server | undefined;
  #knowsAll = true;
  #endFrozen: () => void = () => undefined;

  private constructor(run: Run, primary: TestServer, standby: TestServer, proxy: TcpProxy) {
    this.#run = run;
    this.#primary = primary;
    this.#standby = standby;
    this.#proxy = proxy;
  }

  static async create(run: Run): Promise<Pair> {
    const primary = await TestServer.createPrimary();
    const standby = await TestServer.createStandby(primary);
    return new Pair(run, primary, standby, await TcpProxy.open(primary.endpoint.port));
  }

  async drill(drill: Drill): Promise<Finding> {
    this.#say(`drill: the old primary is ${drill === 'name moves' ? 'alive, and the name moves' : drill}`);
    const [old, next] = [this.#primary, this.#standby];
    const url = await this.#serve(drill !== 'name moves');
    // With asynchronous replication, a failover may lose writes, which is not the fault of the tested server.
    const isSynchronous = drill !== 'alive' && drill !== 'name moves';
    if (isSynchronous) await this.#reload(old, `synchronous_standby_names = '*'`);
    const newClient = (): Client => new Client({ url, connections: 4, random: this.#run.random });
    const load = new FailoverLoad({ newClient, random: this.#run.random, writers: 6, readers: 6 });
    await load.start();
    await this.#after(beforeMs);
    const moments = await this.#failOver(drill, old, next);
    await this.#after(afterMs);
    await load.stop();
    const kept = new Set((await next.sql<{ id: string }>('select id from users')).map(({ id }) => id));
    const finding = judgeFailover(load, kept, { ...moments, isSynchronous });
    this.#say(finding.figures);
    for (const violation of finding.violations) this.#say(`VIOLATION: ${violation}`);
    await this.#takeBack(old, next, url);
    return finding;
  }

  #thaw(): void {
    this.#endFrozen();
    this.#endFrozen = () => undefined;
  }

  async destroy(): Promise<void> {
    this.#thaw();
    if (this.#server !== undefined && !this.#server.hasEnded) this.#server.kill('SIGTERM');
    await this.#server?.ended();
    await this.#proxy.close();
    await this.#primary.remove();
    await this.#standby.remove();
  }

  async #failOver(drill: Drill, old: TestServer, next: TestServer): Promise<Moments> {
    const endedAt = performance.now();
    await this.#end(drill, old);
    await this.#after(300);
    await next.promote();
    const promotedAt = performance.now();
    this.#say(`promoted ${next.endpoint.port}`);
    if (drill === 'demoted') {
      await old.follow(next);
      this.#say(`${old.endpoint.port} is a standby again`);
    }
    if (drill !== 'name moves') return { endedAt, promotedAt, foundAt: promotedAt };
    await this.#after(300);
    this.#proxy.moveTo(next.endpoint.port);
    this.#say(`the name leads to ${next.endpoint.port} now; open connections stay`);
    return { endedAt, promotedAt, foundAt: performance.now() };
  }

  async #end(drill: Drill, old: TestServer): Promise<void> {
    const { port } = old.endpoint;
    switch (drill) {
      case 'killed':
      case 'demoted':
        await old.kill();
        this.#say(`killed ${port} (SIGKILL)`);
        break;
      case 'frozen':
        this.#endFrozen = freeze(old);
        this.#say(`froze ${port} (SIGSTOP)`);
        break;
      case 'read-only':
        await this.#reload(old, 'default_transaction_read_only = on');
        this.#say(`made ${port} read-only (default_transaction_read_only)`);
        break;
      case 'alive':
      case 'name moves':
        this.#say(`left ${port} as it is: it accepts writes`);
    }
  }

  /** The old primary becomes a standby of the new one and serves reads, without a restart of the server. */
  async #takeBack(old: TestServer, next: TestServer, url: string): Promise<void> {
    this.#thaw();
    await old.follow(next);
    [this.#primary, this.#standby] = [next, old];
    if (!this.#knowsAll) return;
    const before = await standbyReads(url);
    await waitFor('reads from the standby', async () => {
      await fetch(`${url}/api/v1/users?limit=1`).then(async (answer) => answer.text());
      return (await standbyReads(url)) > before;
    });
    this.#say(`${old.endpoint.port} follows ${next.endpoint.port}, and is read from`);
  }

  /** One server for all drills with several hosts, and another one for a single name. */
  async #serve(knowsAll: boolean): Promise<string> {
    if (this.#server !== undefined && knowsAll === this.#knowsAll) return this.#server.url;
    if (this.#server !== undefined) {
      this.#server.kill('SIGTERM');
      await this.#server.ended();
    }
    this.#knowsAll = knowsAll;
    this.#proxy.moveTo(this.#primary.endpoint.port);
    const ports = [this.#primary.endpoint.port, this.#standby.endpoint.port];
    const env = knowsAll ? environmentOf(ports, ports) : environmentOf([this.#proxy.port], []);
    const server = await start({ args: ['start', '--port', '0', '--workers', '2'], env });
    this.#server = server;
    await waitFor('the server to start', () => server.hasEnded || server.isServing, startMs);
    if (server.hasEnded) throw new Error(`the server ended with the output:\n${server.stderr}`);
    this.#say(`serving on ${knowsAll ? `hosts with ports ${ports.join(', ')}` : 'one name, a proxy'}`);
    return server.url;
  }

  async #reload(server: TestServer, setting: string): Promise<void> {
    await server.sql(`alter system set ${setting}`);
    await server.sql('select pg_reload_conf()');
  }

  async #after(ms: number): Promise<void> {
    const until = performance.now() + ms;
    await waitFor('the time to pass', () => performance.now() >= until, ms + 5_000);
  }

  #say(line: string): void {
    this.#run.say(`  ${new Date().toISOString().slice(11, 23)} ${line}`);
  }
}

/**
 * The postmaster first, so that it starts no more children. Returns a function that kills the children, which do not
 * notice its death.
 */
function freeze({ pid }: TestServer): () => void {
  if (pid === undefined) throw new Error('the server does not run');
  process.kill(pid, 'SIGSTOP');
  const children = childrenOf(pid);
  for (const child of children) process.kill(child, 'SIGSTOP');
  return () => {
    for (const child of children) process.kill(child, 'SIGKILL');
  };
}

async function standbyReads(url: string): Promise<number> {
  const page = await (await fetch(`${url}/metrics`)).text();
  return Number(/^messenger_reads_total\{[^}]*"standby"[^}]*\} (\d+)/mu.exec(page)?.[1] ?? 0);
}

function environmentOf(writes: readonly number[], reads: readonly number[]): Readonly<Record<string, string>> {
  const of = (role: 'WRITE' | 'READ', ports: readonly number[]): Readonly<Record<string, string>> =>
    ports.length === 0
      ? {}
      : {
          [`DB_${role}_HOST`]: ports.map(() => '127.0.0.1').join(','),
          [`DB_${role}_PORT`]: ports.join(','),
          [`DB_${role}_USER`]: 'messenger',
          [`DB_${role}_NAME`]: 'messenger',
        };
  return { ...of('WRITE', writes), ...of('READ', reads), LOG_REQUESTS: '0' };
}
