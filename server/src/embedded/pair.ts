import type { EndpointPair } from '../db/endpoint.ts';
import { RestartBudget } from '../lib/restart-budget.ts';
import type { Service, ServiceState } from '../process/service.ts';
import { exists } from './data-folder.ts';
import { KeptPostgres } from './kept-postgres.ts';
import { launch, type PairContext, readyPrimary } from './launch.ts';
import { type EmbeddedOptions, type OpenData, openData } from './open-data.ts';
import { writeServerRecord } from './server-record.ts';
import { Standby } from './standby.ts';

export interface EmbeddedPairOptions extends EmbeddedOptions {
  /** The primary died more often than its budget allows and stays down. */
  readonly onFatal: (reason: string) => void;
}

/** How long what a failed start has started may take to end. In ms. */
const cleanUpMs = 10_000;

/**
 * The embedded primary and its streaming standby as one service. `start` throws `OperatorError` for what the operator
 * can change, and leaves nothing running when it fails. `stop` loses nothing: the primary ships all its WAL to the
 * standby before it ends, then the standby follows.
 */
export class EmbeddedPair implements Service {
  readonly name = 'embedded databases';
  readonly #options: EmbeddedPairOptions;
  #state: ServiceState = 'stopped';
  #data: OpenData | undefined;
  #primary: KeptPostgres | undefined;
  #standby: Standby | undefined;

  constructor(options: EmbeddedPairOptions) {
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
    this.#primary = this.#keepPrimary(context);
    this.#standby = new Standby(context);
    // A standby that has no slot to follow yet, or no files, would only fail and wait.
    const isStandbyLate = isNew || !(await exists(context.layout.standby));
    const primary = this.#primary.start(signal).then(() => readyPrimary(context));
    if (isStandbyLate) await primary;
    await Promise.all([primary, this.#standby.start(signal)]);
  }

  #keepPrimary(context: PairContext): KeptPostgres {
    const { log, clock } = context;
    return new KeptPostgres({
      name: 'primary',
      launch: (signal) => launch(context, 'primary', signal),
      budget: new RestartBudget(clock),
      log,
      onExhausted: (reason) => {
        this.#state = 'failed';
        this.#options.onFatal(`the primary does not stay up: ${reason}`);
      },
    });
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
