import { join } from 'node:path';

import { InvalidArgumentError, type Command } from 'commander';

import { chooseSource } from '../backup/choose-source.ts';
import { parseTargetTime, type RecoveryTarget } from '../backup/recover.ts';
import { restoreDataDirectory } from '../backup/restore.ts';
import { restoreEmbedded } from '../backup/restore-embedded.ts';
import { takeBackup } from '../backup/take-backup.ts';
import type { Config } from '../config.ts';
import type { Endpoint } from '../db/endpoint.ts';
import { findRunningServer } from '../embedded/server-record.ts';
import { roles } from '../embedded/settings.ts';
import { endpointsIn } from '../embedded/socket-folder.ts';
import { externalEndpoints } from '../endpoints.ts';
import { messageOf } from '../lib/error-code.ts';
import { OperatorError } from '../lib/operator-error.ts';
import { createLog, isPretty } from '../telemetry/log.ts';
import { addConfigFlags, enter, example, readConfig } from './config-flags.ts';
import { untilStopped, type Io } from './io.ts';
import { count } from './machine-flags.ts';

interface BackupFlags {
  readonly keep?: number;
}

interface RestoreFlags {
  readonly toTime?: string;
  readonly timeline?: number;
  readonly pgdata?: string;
}

export function addBackupCommands(program: Command, io: Io): void {
  addConfigFlags(program.command('backup'), { inHelp: false })
    .description('Copy the databases of a running server, or your own, to a new folder, and verify the copy.')
    .argument('[folder]', 'folder to create; default: a new one in BACKUP_DIR, named by the time')
    .option('--keep <count>', 'remove all but the newest backups of these databases in the same folder', count(999_999))
    .addHelpText('after', example('messenger backup /backup/messenger-2026-11-27 --keep 14'))
    .action(async (named: string | undefined, flags: BackupFlags, command: Command) => {
      const { config } = await enter(command, io, { givesData: false });
      const folder = named ?? newFolder(config.backup.dir);
      await backUp(config, folder, flags, io);
      io.out(`backed up to ${folder}\n`);
    });
  addConfigFlags(program.command('restore'), { inHelp: false })
    .description('Verify a backup and restore it into a new data folder.')
    .argument('<folder>', 'the backup')
    .option('--to-time <time>', 'replay archived WAL up to this time, ISO 8601 with a zone, or `latest`', targetTime)
    .option('--timeline <number>', 'with --to-time: the timeline to follow; default: the newest', count(999_999))
    .option('--pgdata <folder>', 'restore the data directory of your own PostgreSQL server')
    .addHelpText('after', example('messenger restore /backup/messenger-2026-11-27 --to-time 2026-11-27T14:30:00Z'))
    .action(async (folder: string, flags: RestoreFlags, command: Command) => {
      const isEmbedded = flags.pgdata === undefined;
      const { config } = isEmbedded ? await enter(command, io, { givesData: true }) : readConfig(command, io.env);
      await restore(config, folder, flags, io);
      io.out(`restored from ${folder}\n`);
    });
}

function newFolder(dir: string | undefined): string {
  if (dir === undefined) throw new OperatorError('Name a folder for the backup, or set BACKUP_DIR.');
  const time = new Date().toISOString().replaceAll(/[-:]|\.\d+/gu, '');
  return join(dir, `messenger-${time}`);
}

async function backUp(config: Config, folder: string, { keep }: BackupFlags, io: Io): Promise<void> {
  const signal = untilStopped(io);
  const external = externalEndpoints(withBackupRole(config));
  const source =
    external === undefined
      ? await embeddedSource(config.embedded.dataDir)
      : await chooseSource(external, (text) => io.err(`${text}\n`), signal);
  const { archiveDir } = config.embedded;
  const kind = external === undefined ? 'embedded' : 'external';
  const ours = external === undefined ? { archiveDir } : {};
  await takeBackup({ folder, kind, source, keep, ...ours, nowMs: () => Date.now() }, signal);
}

/** The same servers, with another role if one is given. */
function withBackupRole(config: Config): Config {
  const { user, password } = config.backup;
  const role = { ...(user === undefined ? {} : { user }), ...(password === undefined ? {} : { password }) };
  return { ...config, writeDb: { ...config.writeDb, ...role }, readDb: { ...config.readDb, ...role } };
}

async function embeddedSource(dataDir: string): Promise<Endpoint> {
  const running = await findRunningServer(dataDir);
  if (running === undefined)
    throw new OperatorError(`No server runs on ${dataDir}, and its databases run only with it. Start it.`);
  return { ...endpointsIn(running.sockets).write, user: roles.replication };
}

async function restore(config: Config, folder: string, flags: RestoreFlags, io: Io): Promise<void> {
  const { toTime, timeline, pgdata } = flags;
  if (timeline !== undefined && toTime === undefined) throw new OperatorError('--timeline needs --to-time.');
  if (pgdata === undefined && config.writeDb.host !== undefined)
    throw new OperatorError(
      'DB_WRITE_HOST names servers of your own. Name the data directory to make for one of them with --pgdata.',
    );
  if (pgdata === undefined) {
    await restoreData(config, folder, toTime === undefined ? undefined : { time: toTime, timeline }, io);
    return;
  }
  if (toTime !== undefined)
    throw new OperatorError(
      '--to-time is for the embedded databases. For servers of your own: "Point in time" in docs/operations.md.',
    );
  await restoreDataDirectory(folder, pgdata);
}

async function restoreData(
  { embedded, log: { level, format } }: Config,
  folder: string,
  target: RecoveryTarget | undefined,
  io: Io,
): Promise<void> {
  const { dataDir, binariesDir, archiveDir } = embedded;
  if (target !== undefined && archiveDir === undefined)
    throw new OperatorError('--to-time needs archived WAL. Name its folder with MESSENGER_ARCHIVE_DIR.');
  const log = createLog({ level, name: 'restore', pretty: isPretty(format, io.errIsTerminal) });
  await restoreEmbedded({ folder, dataDir, binariesDir, archiveDir, target, log }, untilStopped(io));
}

function targetTime(text: string): string {
  try {
    return parseTargetTime(text);
  } catch (error) {
    throw new InvalidArgumentError(messageOf(error));
  }
}
