import type { EndpointPair } from '../db/endpoint.ts';
import type { Service } from '../process/service.ts';
import type { EmbeddedServer } from '../telemetry/embedded-metrics.ts';
import { OperatorError } from '../lib/operator-error.ts';
import { exists } from './data-folder.ts';
import { KeptPostgres } from './kept-postgres.ts';
import { messageOf } from '../lib/error-code.ts';
import { launch, type PairContext, readyPrimary } from './launch.ts';
import { type EmbeddedOptions, type OpenData, openData } from './open-data.ts';
import { writeServerRecord } from './server-record.ts';
import { Standby } from './standby.ts';
import { faultTexts, findStorageFault } from './storage-fault.ts';
import type { PostgresProcess } from './postgres-process.ts';

/** How long what a failed start has started may take to end. In ms. */
const cleanUpMs = 10_000;

/**
 * The embedded primary and its streaming standby as one service. `start` throws `OperatorError` for what the operator
 * can change, and leaves nothing running when it fails. When only the primary cannot start it succeeds: the standby can be
 * read, and the primary is tried again until it is there. `stop` loses nothing: the primary ships all its WAL to the
 * standby before it ends, then the standby follows.
 */
export class EmbeddedPair implements Service {
  readonly name = 'embedded databases';
  readonly #options: EmbeddedOptions;
  #data: OpenData | undefined;
  #primary: KeptPostgres | undefined;
  #standby: Standby | undefined;
  #isPrimaryReady = false;
  readonly #primaryUp = Promise.withResolvers<void>();

  constructor(options: EmbeddedOptions) {
    this.#options = options;
  }

  /** Where the two servers listen. Only between a start and a stop. */
  get endpoints(): EndpointPair {
    if (this.#data === undefined) throw new Error('the embedded databases have no endpoints before they are started');
    return this.#data.context.endpoints;
  }

  /** Resolves when the primary has been started for the first time, with the start or later. */
  get primaryUp(): Promise<void> {
    return this.#primaryUp.promise;
  }

  /** The postmasters' process ids, for status pages; undefined for one that is down just now. */
  get pids(): { readonly primary: number | undefined; readonly standby: number | undefined } {
    return { primary: this.#primary?.pid, standby: this.#standby?.pid };
  }

  /** What is known of both servers between a start and a stop, for metrics. */
  get servers(): readonly EmbeddedServer[] {
    if (this.#data === undefined) return [];
    const { primary, standby } = this.#data.context.layout;
    return [
      { name: 'primary', folder: primary, fault: this.#primary?.failure?.kind },
      { name: 'standby', folder: standby, fault: this.#standby?.fault },
    ];
  }

  async start(signal: AbortSignal): Promise<void> {
    try {
      this.#data = await openData(this.#options, signal);
      await this.#startServers(this.#data, signal);
    } catch (error) {
      await this.#end(AbortSignal.timeout(cleanUpMs));
      throw explain(error);
    }
  }

  /** Tells those who find the data folder in use where this server can be reached. */
  async announce(url: string): Promise<void> {
    if (this.#data === undefined) return;
    const { layout, endpoints } = this.#data.context;
    await writeServerRecord(layout, { pid: process.pid, sockets: endpoints.write.host, url });
  }

  async stop(signal: AbortSignal): Promise<void> {
    await this.#end(signal);
  }

  async #startServers({ context, isNew }: OpenData, signal: AbortSignal): Promise<void> {
    const { layout } = context;
    this.#primary = new KeptPostgres({
      name: 'primary',
      launch: async (launching) => this.#launchPrimary(context, launching),
      onUp: () => this.#primaryUp.resolve(),
      ...context,
    });
    this.#standby = new Standby(context);
    // A standby that has no slot to follow yet, or no files, would only fail and wait.
    const isStandbyLate = isNew || !(await exists(layout.standby));
    const primary = this.#primary.start(signal);
    if (isStandbyLate) await primary;
    const [started] = await Promise.allSettled([primary, this.#standby.start(signal)]);
    if (started.status === 'fulfilled') return;
    if (signal.aborted || this.#standby.pid === undefined) throw started.reason;
    context.log.error({ reason: messageOf(started.reason) }, 'the primary cannot start; reads go to the standby');
  }

  /** The primary is up only when it has what it needs, whether it came with the start or later. */
  async #launchPrimary(context: PairContext, signal: AbortSignal): Promise<PostgresProcess> {
    const primary = await launch(context, 'primary', signal);
    if (this.#isPrimaryReady) return primary;
    try {
      await readyPrimary(context);
    } catch (error) {
      await primary.stop(AbortSignal.timeout(cleanUpMs));
      throw error;
    }
    this.#isPrimaryReady = true;
    return primary;
  }

  async #end(signal: AbortSignal): Promise<void> {
    this.#standby?.settle();
    await this.#primary?.stop(signal);
    await this.#standby?.stop(signal);
    await this.#data?.close();
    this.#primary = undefined;
    this.#standby = undefined;
    this.#data = undefined;
    this.#isPrimaryReady = false;
  }
}

/** A full disk is the operator's to free. PostgreSQL's own words name the file. */
function explain(error: unknown): unknown {
  const fault = findStorageFault(error);
  if (fault === undefined || error instanceof OperatorError) return error;
  return new OperatorError(`The databases cannot start: ${faultTexts[fault]} (${messageOf(error)})`, { cause: error });
}
