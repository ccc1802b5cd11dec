import type { Member } from '@messenger/protocol/accounts';
import { Option, type Command } from 'commander';

import { OperatorAccounts } from '../accounts/operator-accounts.ts';
import type { Config } from '../config.ts';
import type { Endpoint } from '../db/endpoint.ts';
import { migrationStatus } from '../db/migrations.ts';
import { Pool, type PoolOptions } from '../db/pool.ts';
import { monotonicClock } from '../lib/clock.ts';
import { OperatorError } from '../lib/operator-error.ts';
import { migrationsDir } from '../prepare-databases.ts';
import { createLog, isPretty, type Log } from '../telemetry/log.ts';
import { addConfigFlags, enter, example } from './config-flags.ts';
import { untilStopped, type Io } from './io.ts';
import { readNewPassword } from './new-password.ts';
import { onPrimary } from './on-primary.ts';

const roles = ['member', 'moderator', 'admin'] as const;
type Role = (typeof roles)[number];

interface CreateFlags {
  readonly firstName: string;
  readonly lastName: string;
  readonly role: Role;
  readonly passwordFile?: string;
}

const passwordFile = (): Option => new Option('--password-file <file>', 'file with the password; default: asks for it');

/** `messenger account`: for the operator, who needs no session. */
export function addAccountCommands(program: Command, io: Io): void {
  const group = program.command('account').description('Manage accounts, also while the server runs.');
  const add = (name: string, about: string, sample: string): Command =>
    addConfigFlags(group.command(name), { inHelp: false })
      .description(about)
      .addHelpText('after', example(`messenger account ${sample}`));
  const act = async (command: Command, work: (accounts: OperatorAccounts) => Promise<string>): Promise<void> => {
    const { config } = await enter(command, io, { givesData: true });
    const { level, format } = config.log;
    const log = createLog({ level, name: 'account', pretty: isPretty(format, io.errIsTerminal) });
    const use = async (primary: Endpoint): Promise<string> => withAccounts(primary, config, log, work);
    io.out(`${await onPrimary(config, { name: 'account', log }, untilStopped(io), use)}\n`);
  };
  add('create', 'Create an account.', 'create ada --first-name Ada --last-name Lovelace --role admin')
    .argument('<username>')
    .requiredOption('--first-name <name>', 'first name')
    .requiredOption('--last-name <name>', 'last name')
    .addOption(new Option('--role <role>', 'rights of the account').choices(roles).default('member'))
    .addOption(passwordFile())
    .action(async (username: string, flags: CreateFlags, command: Command) => {
      const password = await readNewPassword(flags.passwordFile, io);
      await act(
        command,
        async (accounts) => `created ${describe(await accounts.create({ username, password, ...flags }))}`,
      );
    });
  add('password', 'Set the password of an account, and end its sessions.', 'password ada')
    .argument('<username>')
    .addOption(passwordFile())
    .action(async (username: string, flags: Pick<CreateFlags, 'passwordFile'>, command: Command) => {
      const password = await readNewPassword(flags.passwordFile, io);
      await act(command, async (accounts) => {
        await accounts.setPassword(username, password);
        return `set the password of ${username}, and ended its sessions`;
      });
    });
  add('role', 'Change the rights of an account.', 'role ada admin')
    .argument('<username>')
    .addArgument(group.createArgument('<role>', 'its new rights').choices(roles))
    .action(async (username: string, role: Role, _flags, command: Command) =>
      act(command, async (accounts) => `changed ${describe(await accounts.setRole(username, role))}`),
    );
  add('disable', 'Disable an account and end its sessions; with --undo, enable it again.', 'disable ada')
    .argument('<username>')
    .option('--undo', 'enable it again')
    .action(async (username: string, { undo = false }: { undo?: boolean }, command: Command) =>
      act(command, async (accounts) => `changed ${describe(await accounts.setDisabled(username, !undo))}`),
    );
  add('list', 'List all accounts.', 'list').action(async (_flags, command: Command) =>
    act(command, async (accounts) => {
      const lines = (await accounts.list()).map(describe);
      return lines.length === 0 ? 'there are no accounts' : lines.join('\n');
    }),
  );
}

async function withAccounts<T>(
  primary: Endpoint,
  config: Config,
  log: Log,
  work: (accounts: OperatorAccounts) => Promise<T>,
): Promise<T> {
  const { connectTimeoutMs } = config.db;
  const migrations = await migrationStatus({ endpoint: primary, dir: migrationsDir, connectTimeoutMs, log });
  if (migrations.some(({ applied }) => !applied))
    throw new OperatorError(
      'The database schema is older than this program: start the server, or run `messenger migrate up`.',
    );
  const pool = new Pool(poolOptions(primary, config), { clock: monotonicClock, random: Math.random, log });
  try {
    return await work(new OperatorAccounts(pool));
  } finally {
    await pool.close();
  }
}

function poolOptions(endpoint: Endpoint, { db, writeDb }: Config): PoolOptions<'write'> {
  return {
    role: 'write',
    endpoint,
    applicationName: 'messenger account',
    maxOpen: 1,
    maxIdle: 1,
    maxWaiting: 10,
    lifetimeMs: 60_000,
    idleTimeMs: 60_000,
    connectTimeoutMs: db.connectTimeoutMs,
    statementTimeoutMs: writeDb.timeoutMs,
    prepare: false,
    wrap: false,
  };
}

function describe({ account: { username, role, disabled, created_at: since }, user }: Member): string {
  const state = disabled ? ', disabled' : '';
  return `${username} (${user.first_name} ${user.last_name}): ${role}${state}, since ${since.slice(0, 10)}`;
}
