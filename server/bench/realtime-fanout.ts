/** Bursts to all sockets beside a bare `ws` server, and the memory of idle sockets. */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

import type { BenchOptions } from './options.ts';
import { cpuUsOf } from './process-cpu.ts';
import { BenchClients, BenchSockets, sides, type Side } from './realtime-processes.ts';
import { median, medianRatio } from './statistics.ts';

const sockets = 5_000;
const idleSockets = 10_000;
const processes = 2;

/** Messages of a burst. */
const sizes = [1, 10, 50] as const;

/** Between the opening of idle sockets and the measurement of memory. */
const settleMs = 3_000;

interface Sample {
  readonly perSecond: number;
  /** CPU microseconds of the servers per delivery. */
  readonly serverUs: number;
}

const cpuUs = (servers: readonly BenchSockets[]): number => cpuUsOf(servers.map(({ pid }) => pid));

/** The servers of one side and their clients. */
class Fanout {
  readonly #servers: readonly BenchSockets[];
  readonly #clients: readonly BenchClients[];
  #sent = 0;

  private constructor(servers: readonly BenchSockets[], clients: readonly BenchClients[]) {
    this.#servers = servers;
    this.#clients = clients;
  }

  static async start(side: Side): Promise<Fanout> {
    const servers = Array.from({ length: processes }, () => new BenchSockets(side));
    const clients = Array.from({ length: processes }, () => new BenchClients());
    const ports = await Promise.all(servers.map(async (one) => one.report()));
    await Promise.all(clients.map(async (one) => one.ask({ sockets: sockets / processes, ports })));
    return new Fanout(servers, clients);
  }

  /** One burst after the other; a further one is always on its way, so that the servers work while the last clients read. */
  async measure(size: number, seconds: number): Promise<Sample> {
    const [beganMs, cpuBefore, sentBefore] = [performance.now(), cpuUs(this.#servers), this.#sent];
    this.#burst(size);
    while (performance.now() < beganMs + seconds * 1_000) {
      this.#burst(size);
      await this.#arrived(this.#sent - size);
    }
    await this.#arrived(this.#sent);
    const deliveries = (this.#sent - sentBefore) * sockets;
    const perSecond = (deliveries / (performance.now() - beganMs)) * 1_000;
    return { perSecond, serverUs: (cpuUs(this.#servers) - cpuBefore) / deliveries };
  }

  stop(): void {
    for (const one of [...this.#servers, ...this.#clients]) one.stop();
  }

  #burst(size: number): void {
    this.#sent += size;
    for (const server of this.#servers) server.tell({ burst: size });
  }

  async #arrived(messages: number): Promise<void> {
    await Promise.all(this.#clients.map(async (one) => one.ask({ expect: (messages * sockets) / processes })));
  }
}

/** Resident bytes of a server per idle socket, and CPU of opening one. */
async function measureIdle(side: Side): Promise<{ readonly bytes: number; readonly openUs: number }> {
  const server = new BenchSockets(side);
  const clients = new BenchClients();
  try {
    const ports = [await server.report()];
    await clients.ask({ sockets: 500, ports }); // Warms up.
    await sleep(settleMs);
    const [rssBefore, cpuBefore] = [rssOf(server), cpuUs([server])];
    await clients.ask({ sockets: idleSockets, ports });
    const openUs = (cpuUs([server]) - cpuBefore) / idleSockets;
    await sleep(settleMs);
    return { bytes: (rssOf(server) - rssBefore) / idleSockets, openUs };
  } finally {
    server.stop();
    clients.stop();
  }
}

function rssOf({ pid }: BenchSockets): number {
  const kib = /^VmRSS:\s+(?<kib>\d+) kB$/mu.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.groups?.['kib'];
  return Number(kib) * 1_024;
}

/** Sides in turn, so that the neighbours of the machine disturb both alike. Round 0 warms up. */
async function measureSize(
  started: Readonly<Record<Side, Fanout>>,
  size: number,
  { rounds, seconds }: BenchOptions,
  signal: AbortSignal,
): Promise<Record<Side, Sample[]>> {
  const samples: Record<Side, Sample[]> = { engine: [], bare: [] };
  for (let round = 0; round <= rounds; round += 1) {
    for (const side of round % 2 === 1 ? sides : sides.toReversed()) {
      signal.throwIfAborted();
      samples[side].push(await started[side].measure(size, round === 0 ? 1 : seconds));
    }
  }
  return { engine: samples.engine.slice(1), bare: samples.bare.slice(1) };
}

function row(size: number, samples: Readonly<Record<Side, readonly Sample[]>>): string {
  const of = (side: Side, figure: keyof Sample): number[] => samples[side].map((one) => one[figure]);
  const cells = [
    size,
    ...sides.map((side) => Math.round(median(of(side, 'perSecond')))),
    medianRatio(of('engine', 'perSecond'), of('bare', 'perSecond')).toFixed(2),
    ...sides.map((side) => median(of(side, 'serverUs')).toFixed(2)),
  ];
  return `| ${cells.join(' | ')} |`;
}

export async function measureFanout(options: BenchOptions, signal: AbortSignal): Promise<void> {
  const started = { engine: await Fanout.start('engine'), bare: await Fanout.start('bare') };
  try {
    console.log(
      `\n${sockets} sockets on ${processes} processes:\n\n| messages of a burst | deliveries/s | bare ws | ratio | CPU µs of the servers per delivery | bare ws |\n| ---: | ---: | ---: | ---: | ---: | ---: |`,
    );
    for (const size of sizes) console.log(row(size, await measureSize(started, size, options, signal)));
  } finally {
    for (const side of sides) started[side].stop();
  }
}

export async function measureMemory(): Promise<void> {
  console.log(`\n| of ${idleSockets} idle sockets | KiB each | CPU µs to open |\n| --- | ---: | ---: |`);
  for (const side of sides) {
    const { bytes, openUs } = await measureIdle(side);
    console.log(`| ${side} | ${(bytes / 1_024).toFixed(1)} | ${openUs.toFixed(0)} |`);
  }
}
