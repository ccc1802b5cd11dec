import type { Command } from 'commander';

import type { Config } from '../config.ts';
import type { Endpoint } from '../db/endpoint.ts';
import { locatePrimary } from '../db/locate-primary.ts';
import { makeMigration, migrateDown, migrateUp, migrationStatus, type MigrationTarget } from '../db/migrations.ts';
import { withPrimary } from '../embedded/only-primary.ts';
import { externalEndpoints } from '../endpoints.ts';
import { monotonicClock } from '../lib/clock.ts';
import { migrationsDir } from '../prepare-databases.ts';
import { createLog, isPretty, type Log } from '../telemetry/log.ts';
import { addConfigFlags, enter, example } from './config-flags.ts';
import { untilStopped, type Io } from './io.ts';
import { count } from './machine-flags.ts';

/** An operation on the migrations of a database. Resolves with the lines to print. */
type Work = (target: MigrationTarget) => Promise<string[]>;

export function addMigrateCommands(program: Command, io: Io): void {
  const group = program
    .command('migrate')
    .description('Change the database schema. The start of the server runs `up` automatically.');
  const add = (name: string, about: string, sample: string): Command =>
    addConfigFlags(group.command(name), { inHelp: false })
      .description(about)
      .addHelpText('after', example(`messenger migrate ${sample}`));
  const act = async (command: Command, work: Work): Promise<void> => {
    const { config } = await enter(command, io, { givesData: true });
    const { level, format } = config.log;
    const log = createLog({ level, name: 'migrate', pretty: isPretty(format, io.errIsTerminal) });
    const lines = await onPrimary(config, log, untilStopped(io), work);
    io.out(`${(lines.length === 0 ? ['nothing to do'] : lines).join('\n')}\n`);
  };
  add('up', 'Apply pending migrations.', 'up').action(async (_options, command: Command) =>
    act(command, async (target) => (await migrateUp(target)).map((name) => `applied ${name}`)),
  );
  add('down', 'Revert the newest migrations; rows of dropped tables are lost.', 'down 1')
    .argument('[count]', 'how many', count(999_999), 1)
    .action(async (many: number, _options, command: Command) =>
      act(command, async (target) => (await migrateDown(target, many)).map((name) => `took back ${name}`)),
    );
  add('status', 'List applied and pending migrations.', 'status').action(async (_options, command: Command) =>
    act(command, async (target) =>
      (await migrationStatus(target)).map(({ name, applied }) => `${applied ? 'applied' : 'pending'}  ${name}`),
    ),
  );
  add('make', 'Write an empty migration with the next number.', 'make "add avatars"')
    .argument('<name>', 'what it does, in a few words')
    .action(async (title: string) => io.out(`${await makeMigration(migrationsDir, title)}\n`));
}

/** The external server, or the embedded primary: a running one, or one started for this command. */
export async function onPrimary(config: Config, log: Log, signal: AbortSignal, work: Work): Promise<string[]> {
  const external = externalEndpoints(config);
  const { connectTimeoutMs } = config.db;
  const session = { applicationName: 'messenger migrate', connectTimeoutMs, statementTimeoutMs: connectTimeoutMs };
  const use = async (endpoint: Endpoint): Promise<string[]> =>
    work({ endpoint, dir: migrationsDir, connectTimeoutMs, log });
  if (external === undefined) return await withPrimary({ ...config.embedded, log, clock: monotonicClock }, signal, use);
  return await unlessStopped(
    locatePrimary(external, session).then(async ({ write }) => use(write)),
    signal,
  );
}

/** The end of this process ends its session and so rolls back the migrations. */
async function unlessStopped<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise: stopped, reject } = Promise.withResolvers<never>();
  signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  return await Promise.race([work, stopped]);
}
