import type { LoadedConfig } from '../config.ts';
import { listOf } from '../db/endpoint.ts';
import { findRunningServer } from '../embedded/server-record.ts';
import { embeddedEndpoints } from '../embedded/socket-folder.ts';
import { connectionUrl, externalEndpoints } from '../endpoints.ts';
import type { Io } from './io.ts';

/** `messenger db url [--read]`: a connection string for psql. */
export async function printDatabaseUrl(
  { config }: LoadedConfig,
  options: { readonly read: boolean },
  io: Io,
): Promise<void> {
  const { dataDir } = config.embedded;
  const external = externalEndpoints(config);
  const { write, reads, otherWrites = [] } = external ?? listOf(await embeddedEndpoints(dataDir));
  const [first = write, ...others] = options.read ? reads : [write, ...otherWrites];
  // Of several, psql takes the first that fits.
  const target = !options.read && others.length > 0 ? '&target_session_attrs=read-write' : '';
  io.out(`${connectionUrl(first, ...others)}${target}\n`);
  if (external === undefined && (await findRunningServer(dataDir)) === undefined) {
    io.err(`note: no server runs on ${dataDir} now, and its databases run only with it\n`);
  }
}
