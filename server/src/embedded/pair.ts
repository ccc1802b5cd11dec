import type { EndpointPair } from '../db/endpoint.ts';
import type { Service, ServiceState } from '../process/service.ts';
import type { EmbeddedServer } from '../telemetry/embedded-metrics.ts';
import { exists } from './data-folder.ts';
import { KeptPostgres } from './kept-postgres.ts';
import { messageOf } from './error-code.ts';
import { launch, type PairContext, readyPrimary } from './launch.ts';
import { type EmbeddedOptions, type OpenData, openData } from './open-data.ts';
import { writeServerRecord } from './server-record.ts';
import { Standby } from './standby.ts';
import { findStorageFault } from './storage-fault.ts';

/** How long what a failed start has started may take to end. In ms. */
const cleanUpMs = 10_000;

/**
 * The embedded primary and its streaming standby as one service. `start` throws `OperatorError` for what the operator
 * can change, and leaves nothing running when it fails. `stop` loses nothing: the primary ships all its WAL to the
 * standby before it ends, then the standby follows.
 */
export class EmbeddedPair implements Service {
  readonly name = 'embedded databases';
  readonly #options: EmbeddedOptions;
  #state: ServiceState = 'stopped';
  #data: OpenData | undefined;
  #primary: KeptPostgres | undefined;
  #standby: Standby | undefined;

  constructor(options: EmbeddedOptions) {
    this.#options = options;
  }

  state(): ServiceState {
    return this.#state;
  }

  /** Where the two servers listen. Only between a start and a stop. */
  get endpoints(): EndpointPair {
    if (this.#data === undefined) throw new Error('the embedded databases have no endpoints before they are started');
    return this.#data.context.endpoints;
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
    this.#state = 'starting';
    try {
      this.#data = await openData(this.#options, signal);
      await this.#startServers(this.#data, signal);
      this.#state = 'running';
    } catch (error) {
      await this.#end(AbortSignal.timeout(cleanUpMs));
      this.#state = 'failed';
      throw error;
    }
  }

  /** Tells those who find the data folder in use where this server can be reached. */
  async announce(url: string): Promise<void> {
    if (this.#data === undefined) return;
    const { layout, endpoints } = this.#data.context;
    await writeServerRecord(layout, { pid: process.pid, sockets: endpoints.write.host, url });
  }

  async stop(signal: AbortSignal): Promise<void> {
    this.#state = 'stopping';
    await this.#end(signal);
    this.#state = 'stopped';
  }

  async #startServers({ context, isNew }: OpenData, signal: AbortSignal): Promise<void> {
    const { layout } = context;
    this.#primary = new KeptPostgres({
      name: 'primary',
      launch: async (launching) => launch(context, 'primary', launching),
      ...context,
    });
    this.#standby = new Standby(context);
    // A standby that has no slot to follow yet, or no files, would only fail and wait.
    const isStandbyLate = isNew || !(await exists(layout.standby));
    const primary = this.#startPrimary(this.#primary, context, signal);
    if (isStandbyLate) await primary;
    await Promise.all([primary, this.#standby.start(signal)]);
  }

  /** Without room or a writable folder for the primary, the standby can still be read: the primary then comes up later. */
  async #startPrimary(primary: KeptPostgres, context: PairContext, signal: AbortSignal): Promise<void> {
    try {
      await primary.start(signal);
      await readyPrimary(context);
    } catch (error) {
      const fault = findStorageFault(error);
      if (fault === undefined || signal.aborted || !(await exists(context.layout.standby))) throw error;
      context.log.error({ reason: messageOf(error), fault }, 'the primary cannot start; reads go to the standby');
    }
  }

  async #end(signal: AbortSignal): Promise<void> {
    this.#standby?.settle();
    await this.#primary?.stop(signal);
    await this.#standby?.stop(signal);
    await this.#data?.close();
    this.#primary = undefined;
    this.#standby = undefined;
    this.#data = undefined;
  }
}
