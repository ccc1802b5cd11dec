import type { PairCheck, ServerCheck } from './about.ts';
import { askNumber } from './ask.ts';
import { ok, warn, type Finding } from './finding.ts';
import { showVersion } from './fit.ts';

interface Fault {
  /** The first release with the fix, as in `server_version_num`. All earlier releases of the major have the bug. */
  readonly fixedIn: number;
  readonly harm: string;
  /** Release notes that describe it. */
  readonly source: string;
}

/** Bugs that can stop a standby or lose rows, in the supported majors. Newest first. */
const faults: readonly Fault[] = [
  {
    fixedIn: 180_004,
    harm: 'A standby whose primary has an older release may crash repeatedly ("could not access status of transaction"), and a promoted standby is slow, because its free space maps were not stored',
    source: '18.3 and 18.4',
  },
];

const versionSql = `select current_setting('server_version_num')::int as value`;

const majorOf = (version: number): number => Math.floor(version / 10_000);

/** Checks the release for known bugs that stop servers or corrupt data. */
export const checkRelease: ServerCheck = async (server) => [
  judgeRelease(server.where, await askNumber(server, versionSql)),
];

export function judgeRelease(where: Finding['where'], version: number): Finding {
  const subject = { check: 'release', where } as const;
  const fault = faults.find(({ fixedIn }) => majorOf(fixedIn) === majorOf(version) && version < fixedIn);
  if (fault === undefined) return ok(subject, `PostgreSQL ${showVersion(version)}`);
  const advice = `${fault.harm} (release notes of ${fault.source}). Install the newest ${majorOf(version)}.x, standbys first, and restart.`;
  return warn(subject, `PostgreSQL ${showVersion(version)}, before ${showVersion(fault.fixedIn)}`, advice);
}

/**
 * The manual advises to run the same release on both, and to update standbys first ("Log-Shipping Standby Servers", "Planning").
 */
export const checkReleases: PairCheck = async (primary, standby) => [
  judgeReleases(standby.where, await askNumber(primary, versionSql), await askNumber(standby, versionSql)),
];

export function judgeReleases(where: Finding['where'], ofPrimary: number, ofStandby: number): Finding {
  const subject = { check: 'standby release', where } as const;
  if (ofPrimary === ofStandby) return ok(subject, 'the same');
  const found = `${showVersion(ofStandby)} on the standby, ${showVersion(ofPrimary)} on the primary`;
  const older = ofStandby < ofPrimary ? 'standby' : 'primary';
  const reason =
    older === 'standby'
      ? 'An older release may not be able to replay the WAL of a newer one.'
      : 'This is acceptable only during an update.';
  return warn(subject, found, `${reason} Update the ${older} to ${showVersion(Math.max(ofPrimary, ofStandby))}.`);
}
