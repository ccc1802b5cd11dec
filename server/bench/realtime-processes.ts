import { fork, type ChildProcess } from 'node:child_process';

import type { ClientsOrder } from './realtime-clients.ts';
import type { ReturningOrder, ReturningReport } from './realtime-returning-clients.ts';
import type { ServerOrder } from './realtime-server.ts';

/** What is compared: our engine, and a bare `ws` server. */
export const sides = ['engine', 'bare'] as const;
export type Side = (typeof sides)[number];

interface Waiting<Report> {
  readonly resolve: (report: Report) => void;
  readonly reject: (error: Error) => void;
}

/** A process of the benchmark. It gets orders, and reports. */
class BenchProcess<Order extends object, Report = number> {
  readonly #child: ChildProcess;
  #waiting: Waiting<Report>[] = [];

  constructor(program: string, ...args: readonly string[]) {
    this.#child = fork(new URL(program, import.meta.url), [...args]);
    this.#child.on('message', (report) => {
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- Of our program.
      this.#waiting.shift()?.resolve(report as Report);
    });
    this.#child.on('exit', () => {
      for (const { reject } of this.#waiting) reject(new Error(`${program} has ended`));
    });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  tell(order: Order): void {
    this.#child.send(order);
  }

  /** The next report. */
  async report(): Promise<Report> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
    });
  }

  async ask(order: Order): Promise<Report> {
    const report = this.report();
    this.tell(order);
    return await report;
  }

  stop(): void {
    this.#waiting = [];
    this.#child.kill();
  }
}

/** A server with sockets; its first report is its port. */
export class BenchSockets extends BenchProcess<ServerOrder> {
  constructor(side: Side) {
    super('realtime-server.ts', side);
  }
}

/** Many clients. */
export class BenchClients extends BenchProcess<ClientsOrder> {
  constructor() {
    super('realtime-clients.ts');
  }
}

/** Many clients that come back. */
export class ReturningClients extends BenchProcess<ReturningOrder, ReturningReport> {
  constructor() {
    super('realtime-returning-clients.ts');
  }
}
