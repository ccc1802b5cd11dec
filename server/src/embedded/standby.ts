import { setTimeout as sleep } from 'node:timers/promises';

import { RepeatLog } from '../telemetry/repeat-log.ts';
import { exists } from './data-folder.ts';
import { messageOf } from '../lib/error-code.ts';
import { FollowCheck } from './follow-check.ts';
import { type Failure, KeptPostgres } from './kept-postgres.ts';
import { launch, type PairContext } from './launch.ts';
import { RebuildSchedule } from './rebuild-schedule.ts';
import { rebuildStandby } from './rebuild.ts';
import { SlotReader } from './slot.ts';
import { failsForCopies, faultTexts, type StorageFault } from './storage-fault.ts';

/** The interval of checks. */
const checkMs = 1_000;
/** How long a start waits for the standby, which then continues in the background. */
const patienceMs = 10_000;
/** Time for a standby that is being replaced to end. */
const replacedMs = 5_000;
/** After more successive failures the standby needs new files. */
const maxFailures = 5;

/**
 * The standby: restarted when it ends, and rebuilt from the primary when it cannot follow, cannot start, or is absent.
 * None of this ends the service or needs an operator.
 */
export class Standby {
  readonly #context: PairContext;
  readonly #slot: SlotReader;
  readonly #schedule: RebuildSchedule;
  readonly #follow = new FollowCheck();
  readonly #ending = new AbortController();
  readonly #up = Promise.withResolvers<void>();
  #kept: KeptPostgres | undefined;
  /** Why the standby needs a rebuild, until it is complete. */
  #defect: string | undefined;
  /** On a nearly full disk it alternates between failing and following. */
  readonly #faultLog: RepeatLog;
  #toldFault: StorageFault | undefined;
  #tending: Promise<void> = Promise.resolve();

  constructor(context: PairContext) {
    this.#context = context;
    this.#faultLog = new RepeatLog(context.log);
    this.#slot = new SlotReader(context.endpoints.write);
    this.#schedule = new RebuildSchedule(context.clock);
  }

  get pid(): number | undefined {
    return this.#kept?.pid;
  }

  /** The problem while it is down, or cannot store WAL. */
  get fault(): Failure['kind'] | undefined {
    return this.#kept?.failure?.kind ?? this.#follow.fault;
  }

  /** Resolves when the standby accepts reads, or after 10 s; it then continues in the background. */
  async start(signal: AbortSignal): Promise<void> {
    this.#tending = this.#tend();
    const waiting = new AbortController();
    const late = sleep(patienceMs, 'late' as const, {
      signal: AbortSignal.any([signal, waiting.signal, this.#ending.signal]),
    });
    const outcome = await Promise.race([this.#up.promise, late]);
    waiting.abort();
    if (outcome === 'late')
      this.#context.log.warn('the standby is not ready yet; it continues to start in the background');
  }

  /** Ends checks and rebuilds, so that the primary can stop unnoticed; the standby continues to follow. */
  settle(): void {
    this.#ending.abort();
  }

  async stop(signal: AbortSignal): Promise<void> {
    this.settle();
    await this.#kept?.stop(signal);
    await this.#tending;
    this.#faultLog.close();
  }

  async #tend(): Promise<void> {
    const { signal } = this.#ending;
    if (await exists(this.#context.layout.standby)) this.#bringUp();
    else this.#defect = 'there is none';
    while (!signal.aborted) {
      await this.#check();
      await sleep(checkMs, undefined, { signal }).catch(() => {});
    }
    await this.#slot.close();
  }

  /** Starts the server without waiting: the checks must notice a copy that never becomes readable. */
  #bringUp(): void {
    if (this.#ending.signal.aborted) return;
    this.#follow.reset();
    const kept = new KeptPostgres({
      ...this.#context,
      name: 'standby',
      launch: (signal) => launch(this.#context, 'standby', signal, (line) => this.#follow.hear(line)),
      onFailure: (failure) => this.#failed(failure),
      onUp: () => this.#up.resolve(),
    });
    this.#kept = kept;
    kept.start(this.#ending.signal).catch(() => {}); // Logged there, and retried.
  }

  #failed({ reason, kind, count }: Failure): void {
    if (count > maxFailures && !failsForCopies(kind)) this.#defect ??= `it ends repeatedly: ${reason}`;
  }

  async #check(): Promise<void> {
    const seen = await this.#slot.read();
    if (this.#ending.signal.aborted) return;
    if (seen === undefined) {
      this.#follow.reset();
      return;
    }
    this.#defect ??= this.#follow.judge(seen.slot);
    this.#tellFault(this.#follow.fault);
    if (this.#defect !== undefined && this.#schedule.isDue()) await this.#rebuild(this.#defect);
  }

  #tellFault(fault: StorageFault | undefined): void {
    if (fault === this.#toldFault) return;
    this.#toldFault = fault;
    const text =
      fault === undefined
        ? 'the standby follows again'
        : `the standby cannot store what the primary sends: ${faultTexts[fault]}`;
    this.#faultLog.add({ level: 'warn', key: fault ?? 'none', one: text, many: text }, () => ({ kind: fault }));
  }

  async #rebuild(reason: string): Promise<void> {
    const { log, clock } = this.#context;
    const startedAt = clock.now();
    log.warn({ reason }, `rebuilding the standby from the primary: ${reason}`);
    try {
      await this.#kept?.stop(AbortSignal.timeout(replacedMs));
      await this.#replace();
      this.#defect = undefined;
      this.#bringUp();
      log.info({ ms: Math.round(clock.now() - startedAt) }, 'the standby has been rebuilt');
    } catch (error) {
      if (!this.#ending.signal.aborted)
        log.error({ err: error }, `the standby could not be rebuilt: ${messageOf(error)}`);
    } finally {
      this.#schedule.attempted();
    }
  }

  async #replace(): Promise<void> {
    const { binaries, endpoints, layout } = this.#context;
    const source = { binaries, primary: endpoints.write, primaryDir: layout.primary, standbyDir: layout.standby };
    await rebuildStandby(source, this.#ending.signal);
  }
}
