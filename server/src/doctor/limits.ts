import type { Limits } from './finding.ts';

/** The limits of the checks. Tests have others, to see each line without waiting for hours. */
export interface DoctorLimits {
  /** In seconds, of the guide; also the deadline of our writes, so a longer statement is not ours. */
  readonly statementSeconds: number;
  /** In seconds. PostgreSQL ends our own idle transactions after 30 s. */
  readonly idleSeconds: Limits;
  /** In seconds. Vacuum removes no row that the oldest transaction may still see. */
  readonly transactionSeconds: Limits;
  /** Transactions since the oldest row was frozen. At about 2.1 billion, PostgreSQL refuses writes. */
  readonly rowAge: Limits;
  /** In ms. Row timestamps come from the primary's clock, and after a promotion from the standby's. */
  readonly clockSkewMs: Limits;
  /** In ms. `About.maxLagMs` is the failure limit. Less is invisible: a read with a token waits up to 20 ms. */
  readonly warnLagMs: number;
  /** How long to wait for a standby to catch up. */
  readonly patienceMs: number;
  /** With fewer page requests, first reads of each page dominate. */
  readonly leastPages: number;
  /** An index without a scan in this time counts as unused. */
  readonly unusedAfterHours: number;
}

export const doctorLimits: DoctorLimits = {
  statementSeconds: 5,
  idleSeconds: { warn: 5, fail: 30 },
  transactionSeconds: { warn: 60, fail: 600 },
  rowAge: { warn: 1_000_000_000, fail: 1_600_000_000 },
  clockSkewMs: { warn: 500, fail: 5_000 },
  warnLagMs: 1_000,
  patienceMs: 5_000,
  leastPages: 100_000,
  unusedAfterHours: 24,
};
