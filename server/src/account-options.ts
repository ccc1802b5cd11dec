import { integer, optionalChoice, type Values } from './lib/options.ts';
import { isLoopback } from './lib/loopback.ts';

const maxDays = 3_650;

/** Options of accounts and sessions. */
export const accountOptions = {
  registration: optionalChoice({
    env: 'REGISTRATION',
    of: ['open', 'closed'],
    defaultText: '`open` when HOST is a loopback address, else `closed`',
    help: 'Who may create accounts: `open` for everyone, `closed` for administrators',
  }),
  usersApi: optionalChoice({
    env: 'USERS_API',
    of: ['open', 'members'],
    defaultText: '`open` when HOST is a loopback address, else `members`',
    help: 'Who may use /api/v1/users: `open` for everyone, without a session; `members` for sessions. Users with an account are changed only by themselves and by administrators',
  }),
  sessionIdleDays: integer({
    env: 'SESSION_IDLE_DAYS',
    default: 30,
    min: 1,
    max: maxDays,
    help: 'Days without use after which a session expires',
  }),
  sessionMaxDays: integer({
    env: 'SESSION_MAX_DAYS',
    default: 365,
    min: 1,
    max: maxDays,
    help: 'Days after which a session expires in any case',
  }),
  auditDays: integer({
    env: 'AUDIT_DAYS',
    default: 365,
    min: 1,
    max: 36_500,
    help: 'Days for which security events are kept',
  }),
} as const;

function rateLimit(group: string, perMinute: number, what: string) {
  return integer({
    env: `RATE_LIMIT_${group}`,
    default: perMinute,
    min: 0,
    max: 1_000_000,
    help: `${what} per minute of one account, per worker; further ones get 429. 0 means no limit. Calls without a session are not limited`,
  });
}

/** See docs/security.md. */
export const rateLimitOptions = {
  reads: rateLimit('READS', 3_000, 'Reads (GET, HEAD)'),
  writes: rateLimit('WRITES', 600, 'Writes (other methods)'),
  passwords: rateLimit('PASSWORDS', 10, "Calls that check the account's password"),
} as const;

interface AccountConfig {
  readonly server: { readonly host: string };
  readonly accounts: Values<{ readonly accounts: typeof accountOptions }>['accounts'];
}

/** Who may do what without a session, with the defaults of the address. */
export interface Openness {
  readonly usersApi: 'open' | 'members';
  readonly registration: 'open' | 'closed';
}

export function opennessOf({ server: { host }, accounts }: AccountConfig): Openness {
  const isLocal = isLoopback(host);
  return {
    usersApi: accounts.usersApi ?? (isLocal ? 'open' : 'members'),
    registration: accounts.registration ?? (isLocal ? 'open' : 'closed'),
  };
}

/** For the operator, at the start. */
export function describeOpenness(config: AccountConfig): string[] {
  const { usersApi, registration } = opennessOf(config);
  const isDefault = config.accounts.usersApi === undefined;
  const why =
    isDefault && usersApi === 'members' ? `, because HOST=${config.server.host} is not a loopback address` : '';
  return [
    usersApi === 'open'
      ? '/api/v1/users needs no session (USERS_API=open)'
      : `/api/v1/users needs a session (USERS_API=members${why})`,
    registration === 'open'
      ? 'everyone may create an account (REGISTRATION=open); the first one is the administrator'
      : 'administrators create accounts (REGISTRATION=closed); the first one: messenger account create',
  ];
}
