import type { QueryResultRow } from 'pg';

import { TestServer } from '../../src/embedded/test-server.ts';
import type { Run } from '../start-server.ts';
import { endNode, startNode } from './node.ts';
import type { System } from './system.ts';

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
    try {
      return new TwoStandbys(second, await startNode(write, [read, second.endpoint]));
    } catch (error) {
      await second.remove();
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
    await endNode(this.#server);
    await this.#second.remove();
  }
}
