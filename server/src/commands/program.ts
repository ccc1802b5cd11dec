import { Command, CommanderError } from 'commander';

import { optionTable, type LoadedConfig } from '../config.ts';
import { addAccountCommands } from './account.ts';
import { addBackupCommands } from './backup.ts';
import { addConfigFlags, enter, example, readConfig } from './config-flags.ts';
import { addDatabaseCommands } from './db-url.ts';
import { addDoctorFlags, doctor, type DoctorFlags } from './doctor.ts';
import { renderEffectiveConfig } from './effective-config.ts';
import { exitCodes, type Io } from './io.ts';
import { addMigrateCommands } from './migrate.ts';
import { reload } from './reload.ts';
import { start } from './start.ts';
import { addTuneCommand } from './tune.ts';

/** Runs one command. Resolves with the exit code; rejects when the command does. */
export async function runProgram(args: readonly string[], io: Io): Promise<number> {
  let exitCode: number = exitCodes.ok;
  const program = new Command('messenger')
    .description('A self-hosted messaging server on PostgreSQL.')
    .version(io.version)
    .showHelpAfterError('(add --help for usage)');
  silence(program, io);

  const load = (command: Command): LoadedConfig => readConfig(command, io.env);
  addConfigFlags(program.command('start', { isDefault: true }), { inHelp: true })
    .description('Start the server (the default command).')
    .addHelpText('after', example('messenger start --port 9000 --workers 4'))
    .action(async (_options, command: Command) => {
      exitCode = await start(() => load(command), io);
    });
  addConfigFlags(program.command('reload'), { inHelp: false })
    .description('Apply changed files and secrets to the running server, without a lost request.')
    .addHelpText('after', example('messenger reload --data-dir /var/lib/messenger'))
    .action(async (_options, command: Command) => {
      const loaded = load(command);
      if (loaded.config.server.runDir === undefined) await enter(command, io, { givesData: false });
      exitCode = await reload(loaded, io);
    });
  addConfigFlags(program.command('config'), { inHelp: false })
    .description('Print the options in effect and their sources; secrets are masked.')
    .addHelpText('after', example('DB_WRITE_HOST=db.internal messenger config --config messenger.yaml'))
    .action((_options, command: Command) => io.out(`${renderEffectiveConfig(optionTable, load(command))}\n`));
  addDatabaseCommands(program, io);
  addMigrateCommands(program, io);
  addAccountCommands(program, io);
  addBackupCommands(program, io);
  addTuneCommand(program, io);
  addConfigFlags(addDoctorFlags(program.command('doctor')), { inHelp: false })
    .description('Check the databases and the set-up; exit code 1 when a check fails.')
    .addHelpText('after', example('messenger doctor --memory 16GB --cpus 8 --storage ssd'))
    .action(async (options: DoctorFlags, command: Command) => {
      exitCode = await doctor(await enter(command, io, { givesData: false }), options, io);
    });
  for (const command of program.commands) for (const one of [command, ...command.commands]) silence(one, io);

  try {
    refuseUnknownCommand(program, args);
    await program.parseAsync(args, { from: 'user' });
    return exitCode;
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
  }
}

/** Commander would treat it as an argument of the default command. */
function refuseUnknownCommand(program: Command, [first]: readonly string[]): void {
  if (first === undefined || first.startsWith('-') || first === 'help') return;
  const names = program.commands.map((command) => command.name());
  if (!names.includes(first)) program.error(`error: unknown command '${first}'. Commands: ${names.join(', ')}`);
}

/** Commander would print the error and exit. */
function silence(command: Command, io: Io): void {
  command.exitOverride().configureOutput({ writeOut: io.out, writeErr: io.err });
}
