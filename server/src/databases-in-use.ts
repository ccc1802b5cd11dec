import type { LoadedConfig } from './config.ts';
import { listOf, placeOf, type Endpoints } from './db/endpoint.ts';
import type { WatchOptions } from './db/watched-servers.ts';
import type { EmbeddedPair } from './embedded/pair.ts';
import { externalEndpoints } from './endpoints.ts';
import { prepareDatabases, prepareStart, type PreparedDatabases, type PrepareOptions } from './prepare-databases.ts';

export interface DatabasesInUseOptions extends Omit<PrepareOptions, 'isEmbedded' | 'isEnough'> {
  /** The operator's servers, as read at the start; undefined for embedded databases. */
  readonly external: Endpoints | undefined;
  readonly embedded: EmbeddedPair | undefined;
}

/** The configuration and databases for workers that start now: from the start, a reload, or a late primary. */
export class DatabasesInUse {
  readonly #options: DatabasesInUseOptions;
  #loaded: LoadedConfig;
  #found: PreparedDatabases | undefined;

  constructor(options: DatabasesInUseOptions) {
    this.#options = options;
    this.#loaded = options.loaded;
  }

  get loaded(): LoadedConfig {
    return this.#loaded;
  }

  get found(): PreparedDatabases {
    if (this.#found === undefined) throw new Error('the databases are not prepared yet');
    return this.#found;
  }

  /** Rejects as `prepareStart` does. */
  async start(signal: AbortSignal): Promise<void> {
    this.#found = await prepareStart(this.#ofStart, this.#preparing(this.#loaded), signal);
  }

  /** For a reload. Rejects as `prepareDatabases` does. */
  async prepare(loaded: LoadedConfig, signal: AbortSignal): Promise<PreparedDatabases> {
    const endpoints = externalEndpoints(loaded.config) ?? this.#ofStart;
    return await prepareDatabases(endpoints, this.#preparing(loaded), signal);
  }

  /** The same for a primary that was unavailable at the start. */
  async preparePrimary(signal: AbortSignal): Promise<PreparedDatabases> {
    await this.#options.embedded?.primaryUp;
    return await prepareDatabases(this.#ofStart, this.#preparing(this.#loaded), signal);
  }

  adopt(loaded: LoadedConfig, found: PreparedDatabases): void {
    this.#loaded = loaded;
    this.#found = found;
  }

  /** For the supervisor's own view of the servers. */
  readonly watched = (): WatchOptions => {
    const { endpoints, systemIdentifier } = this.found;
    const prepare = this.#loaded.config.db.preparedStatements === 'on';
    return { ...endpoints, systemIdentifier, applicationName: 'messenger roles', prepare };
  };

  get #ofStart(): Endpoints {
    const { external, embedded } = this.#options;
    if (external !== undefined) return external;
    if (embedded === undefined) throw new Error('there are no databases');
    return listOf(embedded.endpoints);
  }

  #preparing(loaded: LoadedConfig): PrepareOptions {
    return { ...this.#options, loaded, isEmbedded: this.#options.embedded !== undefined };
  }
}

/** Whether workers would open the same connections to the same servers. */
export function haveSamePools(one: PreparedDatabases, other: PreparedDatabases): boolean {
  return poolsOf(one) === poolsOf(other);
}

function poolsOf({ endpoints, maxOpen, connectionLimits }: PreparedDatabases): string {
  return JSON.stringify([endpoints.reads.map(placeOf), maxOpen, connectionLimits]);
}
