import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';

import { drive } from './drive.ts';
import type { Plan } from './messages.ts';
import type { MeasuredSecond, Outcome } from './outcome.ts';
import { startProbe, type Stalls } from './probe.ts';
import { startServer } from './started-server.ts';
import { systemOf, systemOn, type LookAtSystem, type SystemCpu } from './system-cpu.ts';
import { assertListening, resolveTarget, type Target } from './target.ts';

/** The server to load, for a run and for the capacity search. */
export interface ServerOptions {
  readonly baseUrl: string;
  /** Of a session, sent with each request; undefined for none. */
  readonly token?: string | undefined;
  readonly allowRemote: boolean;
  /** Starts a server with these options in place of `baseUrl`; undefined: does not. */
  readonly start: readonly string[] | undefined;
  /** Whether users are the load, for which some servers need a session. Default: true. */
  readonly usesUsersApi?: boolean;
  /** For the report files and the server's log. */
  readonly reportDir: string;
}

export interface Interrupts {
  /** First Ctrl-C: end cleanly, with a report. */
  readonly stopping: AbortSignal;
  /** Second Ctrl-C: end at once. */
  readonly atOnce: AbortSignal;
}

export interface Driven {
  readonly target: Target;
  readonly look: LookAtSystem;
  /** Of the primary of a server that the test started. */
  readonly databaseUrl?: () => Promise<string>;
}

/** Calls `use` with a listening server. A started server is stopped afterwards in any case. */
export async function withServer<Result>(
  { baseUrl, token, allowRemote, start, usesUsersApi = true, reportDir }: ServerOptions,
  interrupts: Interrupts,
  use: (driven: Driven) => Promise<Result>,
): Promise<Result> {
  await mkdir(reportDir, { recursive: true });
  if (start === undefined) {
    const target = await resolveTarget(baseUrl, { allowRemote, token });
    await assertListening(target, usesUsersApi);
    return await use({ target, look: systemOn(target.address.port) ?? (() => undefined) });
  }
  const logFile = join(reportDir, 'server.log');
  const server = await startServer({ options: start, logFile, stopping: interrupts.stopping });
  try {
    return await use({
      target: await resolveTarget(server.baseUrl, { allowRemote: true }),
      look: systemOf(server.pid),
      databaseUrl: server.databaseUrl,
    });
  } finally {
    await server.stop(interrupts.atOnce);
  }
}

export interface Measurement {
  readonly outcome: Outcome;
  readonly stalls: Stalls;
  readonly tookMs: number;
  /** Of all processes of the load test. */
  readonly ownCpuMs: number;
  readonly system: SystemCpu | undefined;
}

/** Drives the server while the probe runs. Rejects when a process of the load test dies, and when the run ends at once. */
export async function measure(
  plan: Plan,
  driven: Driven,
  options: Interrupts & { readonly processes: number; readonly onSecond: (second: MeasuredSecond) => void },
): Promise<Measurement> {
  const probe = startProbe();
  try {
    const ownBefore = process.cpuUsage();
    const before = driven.look();
    const startedMs = performance.now();
    const outcome = await drive(plan, options);
    const tookMs = performance.now() - startedMs;
    const system = difference(before, driven.look());
    const { user, system: kernel } = process.cpuUsage(ownBefore);
    const stalls = await probe.stop();
    const ownCpuMs = (user + kernel) / 1000 + outcome.cpuMs + stalls.cpuMs;
    return { outcome, stalls, tookMs, ownCpuMs, system };
  } catch (error) {
    await probe.stop().catch(() => undefined);
    throw error;
  }
}

function difference(before: SystemCpu | undefined, after: SystemCpu | undefined): SystemCpu | undefined {
  if (before === undefined || after === undefined) return undefined;
  return {
    serverCpuMs: after.serverCpuMs - before.serverCpuMs,
    databasesCpuMs: after.databasesCpuMs - before.databasesCpuMs,
  };
}
