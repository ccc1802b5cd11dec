import type { ServerCheck } from './about.ts';
import { commandFor, readSettings } from './change-setting.ts';
import { fail, ok, warn, type Status } from './finding.ts';

interface Wanted {
  readonly value: string;
  readonly status: Exclude<Status, 'ok'>;
  /** The effect of another value. */
  readonly harm: string;
  /** A standby is read-only anyway. */
  readonly ofPrimary?: boolean;
}

const corrupt = { value: 'off', status: 'fail', harm: 'Damaged pages are read without an error' } as const;
const noPlan = {
  value: 'on',
  status: 'warn',
  harm: 'The planner cannot use the best plans of our statements',
} as const;

/** Settings that our sessions do not set themselves (db/session.ts), and so inherit from the server, the database or the role. */
const wanted: Readonly<Record<string, Wanted>> = {
  zero_damaged_pages: corrupt,
  ignore_checksum_failure: corrupt,
  ignore_invalid_pages: corrupt,
  default_transaction_read_only: { value: 'off', status: 'fail', harm: 'Writes are refused', ofPrimary: true },
  session_replication_role: { value: 'origin', status: 'fail', harm: 'Foreign keys and triggers are not checked' },
  array_nulls: { value: 'on', status: 'warn', harm: 'The name NULL can be read as a missing value' },
  temp_file_limit: { value: '-1', status: 'warn', harm: 'Large pages for many concurrent clients can fail' },
  enable_indexscan: noPlan,
  enable_bitmapscan: noPlan,
  enable_sort: noPlan,
  enable_nestloop: noPlan,
  enable_hashjoin: noPlan,
};

/** Checks for settings that make our statements slow, fail or read damaged pages. */
export const checkSessionSettings: ServerCheck = async (server) => {
  const subject = { check: 'session settings', where: server.where } as const;
  const settings = await readSettings(server, Object.keys(wanted));
  const findings = settings.flatMap((setting) => {
    const want = wanted[setting.name];
    if (want === undefined || setting.value === want.value || (want.ofPrimary === true && server.role !== 'primary'))
      return [];
    const grade = want.status === 'fail' ? fail : warn;
    const advice = `${want.harm}. ${commandFor(setting, want.value)}.`;
    return [grade(subject, `${setting.name} is ${setting.value}`, advice)];
  });
  return findings.length > 0 ? findings : [ok(subject, 'as our statements need them')];
};
