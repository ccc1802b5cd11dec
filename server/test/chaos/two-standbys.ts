import type { QueryResultRow } from 'pg';

import type { Endpoint } from '../../src/db/endpoint.ts';
import { TestServer } from '../../src/embedded/test-server.ts';
import { run, type Run } from '../start-server.ts';
import { waitFor } from '../wait-for.ts';
import type { System } from './system.ts';

const startMs = 60_000;

/** An additional standby for a system's databases, and a server that reads from both standbys. */
export class TwoStandbys {
  readonly #second: TestServer;
  readonly #server: Run;

  private constructor(second: TestServer, server: Run) {
    this.#second = second;
    this.#server = server;
  }

  /** Resolves when it serves. The caller must call `destroy`, before the system's. */
  static async add(system: System): Promise<TwoStandbys> {
    const [write, read] = await Promise.all([system.endpoint('write'), system.endpoint('read')]);
    const second = await TestServer.createStandby({ endpoint: write });
    const env = environmentOf(write, [read, second.endpoint]);
    const server = await run({ args: ['start', '--port', '0', '--workers', '2'], env });
    const both = new TwoStandbys(second, server);
    try {
      await waitFor('the server to start', () => server.hasEnded || server.isServing, startMs);
      if (server.hasEnded) throw new Error(`the server ended with the output:\n${server.stderr}`);
      return both;
    } catch (error) {
      await both.destroy();
      throw error;
    }
  }

  get url(): string {
    return this.#server.url;
  }

  /** Runs one statement on the second standby. */
  async sql<Row extends QueryResultRow>(text: string): Promise<Row[]> {
    return await this.#second.sql<Row>(text);
  }

  async destroy(): Promise<void> {
    if (!this.#server.hasEnded) this.#server.kill('SIGTERM');
    await this.#server.ended();
    await this.#second.remove();
  }
}

function environmentOf(write: Endpoint, reads: readonly Endpoint[]): Readonly<Record<string, string>> {
  const listOf = (key: 'host' | 'port'): string => reads.map((one) => one[key]).join(',');
  const common = (role: 'WRITE' | 'READ'): Readonly<Record<string, string>> => ({
    [`DB_${role}_USER`]: write.user,
    [`DB_${role}_NAME`]: write.database,
    [`DB_${role}_MAX_OPEN_CONNS`]: '20',
    [`DB_${role}_MAX_IDLE_CONNS`]: '10',
  });
  return {
    ...common('WRITE'),
    ...common('READ'),
    DB_WRITE_HOST: write.host,
    DB_WRITE_PORT: String(write.port),
    DB_READ_HOST: listOf('host'),
    DB_READ_PORT: listOf('port'),
  };
}
