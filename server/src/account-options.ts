import { integer } from './lib/options.ts';

export const accountOptions = {
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
