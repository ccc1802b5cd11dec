import type { Limits } from './finding.ts';

/** From where on something is wrong. Tests have others, to see each line without waiting for hours. */
export interface DoctorLimits {
  /** In seconds. PostgreSQL ends our own idle transactions after 30 s. */
  readonly idleSeconds: Limits;
  /** In seconds. Vacuum removes nothing that the oldest transaction may still see. */
  readonly transactionSeconds: Limits;
  /** Transactions since the oldest row was frozen; at about 2.1 billion, PostgreSQL takes no more writes. */
  readonly rowAge: Limits;
  /** In ms. Times of rows are the primary's, and a promoted standby goes on with its own. */
  readonly clockSkewMs: Limits;
  /** In ms; from `About.maxLagMs` on it is a failure. Below, nobody notices: a read with a token waits 20 ms. */
  readonly warnLagMs: number;
  /** Before so many pages were asked for, the first reads of each page are most of what there is. */
  readonly leastPages: number;
  /** In transactions that have begun since; vacuum keeps all rows that died in them. */
  readonly heldTransactions: Limits;
  /** Of temporary files, in MB, since the statistics began. */
  readonly tempMegabytes: number;
  /** Before so many were requested, a base backup or a start explains them. */
  readonly requestedCheckpoints: number;
  /** An index without a scan in this time is called unused. */
  readonly unusedAfterHours: number;
}

export const doctorLimits: DoctorLimits = {
  idleSeconds: { warn: 5, fail: 30 },
  transactionSeconds: { warn: 60, fail: 600 },
  rowAge: { warn: 1_000_000_000, fail: 1_600_000_000 },
  clockSkewMs: { warn: 500, fail: 5_000 },
  warnLagMs: 1_000,
  leastPages: 100_000,
  heldTransactions: { warn: 1_000_000, fail: 100_000_000 },
  tempMegabytes: 1_000,
  requestedCheckpoints: 50,
  unusedAfterHours: 24,
};
