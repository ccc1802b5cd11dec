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

/** Time for what a failed start has started to end. */
const cleanUpMs = 10_000;

/**
 * The embedded primary and its streaming standby as one service. `start` throws `OperatorError` for what the operator
 * can fix, and leaves nothing running when it fails. If only the primary cannot start it succeeds: the standby serves
 * reads, and the primary is retried. `stop` loses nothing: the primary sends all its WAL to the standby before it ends,
 * then the standby ends.
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

  /** The endpoints of both servers. Only between a start and a stop. */
  get endpoints(): EndpointPair {
    if (this.#data === undefined) throw new Error('the embedded databases have no endpoints before they are started');
    return this.#data.context.endpoints;
  }

  /** Resolves when the primary has started for the first time. */
  get primaryUp(): Promise<void> {
    return this.#primaryUp.promise;
  }

  /** The postmasters' process ids, for status pages; undefined while one is down. */
  get pids(): { readonly primary: number | undefined; readonly standby: number | undefined } {
    return { primary: this.#primary?.pid, standby: this.#standby?.pid };
  }

  /** The state of both servers between a start and a stop, for metrics. */
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

  /** Records this server's URL, for processes that find the data folder in use. */
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
    // A standby without files, or without a slot yet, would only fail and wait.
    const isStandbyLate = isNew || !(await exists(layout.standby));
    const primary = this.#primary.start(signal);
    if (isStandbyLate) await primary;
    const [started] = await Promise.allSettled([primary, this.#standby.start(signal)]);
    if (started.status === 'fulfilled') return;
    if (signal.aborted || this.#standby.pid === undefined) throw started.reason;
    context.log.error({ reason: messageOf(started.reason) }, 'the primary cannot start; reads go to the standby');
  }

  /** The primary counts as up once its prerequisites exist, also when it starts late. */
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

/** Only the operator can free a full disk. PostgreSQL's message names the file. */
function explain(error: unknown): unknown {
  const fault = findStorageFault(error);
  if (fault === undefined || error instanceof OperatorError) return error;
  return new OperatorError(`The databases cannot start: ${faultTexts[fault]} (${messageOf(error)})`, { cause: error });
}
