import { Command, CommanderError, InvalidArgumentError } from 'commander';

import { optionTable, type LoadedConfig } from '../config.ts';
import { leaveRoot, type LeaveOptions } from '../leave-root.ts';
import { monotonicClock } from '../lib/clock.ts';
import { OperatorError } from '../lib/operator-error.ts';
import { createLog, isPretty } from '../telemetry/log.ts';
import { addBackupCommands } from './backup.ts';
import { addConfigFlags, readConfig } from './config-flags.ts';
import { printDatabaseUrl } from './db-url.ts';
import { addDoctorFlags, doctor, type DoctorFlags } from './doctor.ts';
import { renderEffectiveConfig } from './effective-config.ts';
import { exitCodes, type Io } from './io.ts';
import { migrate, type MigrateAction } from './migrate.ts';
import { reload } from './reload.ts';
import { start } from './start.ts';
import { addTuneCommand } from './tune.ts';

/** Runs one command. Resolves with the exit code; rejects with what the command rejects with. */
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
      if (loaded.config.server.runDir === undefined)
        await enterData(loaded, io, { givesData: false, warn: () => undefined });
      exitCode = await reload(loaded, io);
    });
  addConfigFlags(program.command('config'), { inHelp: false })
    .description('Print the options in effect and their sources; secrets are masked.')
    .addHelpText('after', example('DB_WRITE_HOST=db.internal messenger config --config messenger.yaml'))
    .action((_options, command: Command) => io.out(`${renderEffectiveConfig(optionTable, load(command))}\n`));
  addDatabaseCommands(program, load, io);
  addMigrateCommands(program, load, io);
  const enter = async (command: Command, options: Pick<LeaveOptions, 'givesData'>): Promise<LoadedConfig> => {
    const loaded = load(command);
    await enterData(loaded, io, { ...options, warn: (text) => io.err(`${text}\n`) });
    return loaded;
  };
  addBackupCommands(program, { load, enter }, io);
  addTuneCommand(program, io);
  addConfigFlags(addDoctorFlags(program.command('doctor')), { inHelp: false })
    .description('Check the databases and the set-up; exit code 1 when a check fails.')
    .addHelpText('after', example('messenger doctor --memory 16GB --cpus 8 --storage ssd'))
    .action(async (options: DoctorFlags, command: Command) => {
      const loaded = load(command);
      await enterData(loaded, io, { givesData: false, warn: () => undefined });
      exitCode = await doctor(loaded, options, io);
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

/** Commander would take it for an argument of the default command. */
function refuseUnknownCommand(program: Command, [first]: readonly string[]): void {
  if (first === undefined || first.startsWith('-') || first === 'help') return;
  const names = program.commands.map((command) => command.name());
  if (!names.includes(first)) program.error(`error: unknown command '${first}'. Commands: ${names.join(', ')}`);
}

/** Root does nothing in a data folder, which belongs to another user; servers elsewhere do not care who we are here. */
async function enterData(
  { config }: LoadedConfig,
  { exec }: Io,
  options: Pick<LeaveOptions, 'givesData' | 'warn'>,
): Promise<void> {
  if (config.writeDb.host === undefined) await leaveRoot(config, { exec, ...options });
}

function addDatabaseCommands(program: Command, load: (command: Command) => LoadedConfig, io: Io): void {
  const db = program.command('db').description('Access the databases.');
  addConfigFlags(db.command('url'), { inHelp: false })
    .description('Print a connection string for psql.')
    .option('--read', 'for the standby instead of the primary', false)
    .addHelpText('after', example('psql "$(messenger db url --read)"'))
    .action(async (options: { read: boolean }, command: Command) => {
      const loaded = load(command);
      await enterData(loaded, io, { givesData: false, warn: () => undefined });
      await printDatabaseUrl(loaded, options, io);
    });
}

function addMigrateCommands(program: Command, load: (command: Command) => LoadedConfig, io: Io): void {
  const group = program
    .command('migrate')
    .description('Change the database schema. The start of the server runs `up` automatically.');
  const act = async (command: Command, action: MigrateAction): Promise<void> => {
    const loaded = load(command);
    const { level, format } = loaded.config.log;
    const log = createLog({ level, name: 'migrate', pretty: isPretty(format, io.errIsTerminal) });
    if (action.do !== 'make') await enterData(loaded, io, { givesData: true, warn: (text) => log.warn(text) });
    const stopping = new AbortController();
    io.onSignal((name) => stopping.abort(new OperatorError(`Stopped by ${name}.`)));
    const lines = await migrate(loaded, action, { log, clock: monotonicClock, signal: stopping.signal });
    io.out(lines.map((line) => `${line}\n`).join(''));
  };
  addConfigFlags(group.command('up'), { inHelp: false })
    .description('Apply pending migrations.')
    .addHelpText('after', example('messenger migrate up'))
    .action(async (_options, command: Command) => act(command, { do: 'up' }));
  addConfigFlags(group.command('down'), { inHelp: false })
    .description('Revert the newest migrations; rows of dropped tables are lost.')
    .argument('[count]', 'how many', positive, 1)
    .addHelpText('after', example('messenger migrate down 1'))
    .action(async (count: number, _options, command: Command) => act(command, { do: 'down', count }));
  addConfigFlags(group.command('status'), { inHelp: false })
    .description('List applied and pending migrations.')
    .addHelpText('after', example('messenger migrate status'))
    .action(async (_options, command: Command) => act(command, { do: 'status' }));
  addConfigFlags(group.command('make'), { inHelp: false })
    .description('Write an empty migration with the next number.')
    .argument('<name>', 'what it does, in a few words')
    .addHelpText('after', example('messenger migrate make "add avatars"'))
    .action(async (title: string, _options, command: Command) => act(command, { do: 'make', title }));
}

function positive(text: string): number {
  if (!/^[1-9]\d{0,5}$/u.test(text)) throw new InvalidArgumentError('must be a whole number from 1.');
  return Number(text);
}

function example(line: string): string {
  return `\nExample:\n  ${line}`;
}

/** Commander would print and exit by itself. */
function silence(command: Command, io: Io): void {
  command.exitOverride().configureOutput({ writeOut: io.out, writeErr: io.err });
}
