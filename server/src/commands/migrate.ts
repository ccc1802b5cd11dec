import type { Command } from 'commander';

import { makeMigration, migrateDown, migrateUp, migrationStatus, type MigrationTarget } from '../db/migrations.ts';
import { migrationsDir } from '../prepare-databases.ts';
import { createLog, isPretty } from '../telemetry/log.ts';
import { addConfigFlags, enter, example } from './config-flags.ts';
import { untilStopped, type Io } from './io.ts';
import { count } from './machine-flags.ts';
import { onPrimary } from './on-primary.ts';

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
    const { connectTimeoutMs } = config.db;
    const lines = await onPrimary(config, { name: 'migrate', log }, untilStopped(io), async (endpoint) =>
      work({ endpoint, dir: migrationsDir, connectTimeoutMs, log }),
    );
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
