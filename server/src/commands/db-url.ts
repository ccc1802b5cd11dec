import type { Command } from 'commander';

import type { Config } from '../config.ts';
import { listOf } from '../db/endpoint.ts';
import { findRunningServer } from '../embedded/server-record.ts';
import { embeddedEndpoints } from '../embedded/socket-folder.ts';
import { connectionUrl, externalEndpoints } from '../endpoints.ts';
import { addConfigFlags, enter, example } from './config-flags.ts';
import type { Io } from './io.ts';

export function addDatabaseCommands(program: Command, io: Io): void {
  const db = program.command('db').description('Access the databases.');
  addConfigFlags(db.command('url'), { inHelp: false })
    .description('Print a connection string for psql.')
    .option('--read', 'for the standby instead of the primary', false)
    .addHelpText('after', example('psql "$(messenger db url --read)"'))
    .action(async ({ read }: { read: boolean }, command: Command) => {
      const { config } = await enter(command, io, { givesData: false });
      await printUrl(config, read, io);
    });
}

async function printUrl(config: Config, ofReads: boolean, io: Io): Promise<void> {
  const { dataDir } = config.embedded;
  const external = externalEndpoints(config);
  const { write, reads, otherWrites = [] } = external ?? listOf(await embeddedEndpoints(dataDir));
  const [first = write, ...others] = ofReads ? reads : [write, ...otherWrites];
  // With several servers, psql connects to the first writable one.
  const target = !ofReads && others.length > 0 ? '&target_session_attrs=read-write' : '';
  io.out(`${connectionUrl(first, ...others)}${target}\n`);
  if (external === undefined && (await findRunningServer(dataDir)) === undefined)
    io.err(`note: no server runs on ${dataDir} now, and its databases run only with it\n`);
}
