import { OperatorError } from '../lib/operator-error.ts';
import type { Endpoint, Endpoints } from './endpoint.ts';
import { placeOf } from './endpoint.ts';
import { classifyFailure, describeFailure } from './errors.ts';
import { serverStatus, type ServerStatus } from './position.ts';
import { withClient, type SessionOptions } from './session.ts';

/** None of several servers accepts writes now: a failover is in progress, or they are not up yet. */
export class NoPrimaryError extends OperatorError {
  override readonly name = 'NoPrimaryError';
}

/** A candidate and its answer. */
interface Answer {
  readonly endpoint: Endpoint;
  readonly outcome: PromiseSettledResult<ServerStatus>;
}

/**
 * The same endpoints with the primary as `write`: of the writable servers, the one on the newest timeline. A single
 * candidate is returned without a query. Rejects with `NoPrimaryError`, or as `pg` does when a server refuses us and
 * none is the primary.
 */
export async function locatePrimary(endpoints: Endpoints, session: SessionOptions): Promise<Endpoints> {
  const { write, otherWrites = [] } = endpoints;
  if (otherWrites.length === 0) return endpoints;
  const candidates = [write, ...otherWrites];
  const outcomes = await Promise.allSettled(candidates.map(async (one) => askStatus(one, session)));
  const answers = candidates.flatMap((endpoint, index): Answer[] => {
    const outcome = outcomes[index];
    return outcome === undefined ? [] : [{ endpoint, outcome }];
  });
  const primary = newest(answers);
  if (primary === undefined) throw whyNone(answers);
  return { ...endpoints, write: primary, otherWrites: candidates.filter((one) => one !== primary) };
}

async function askStatus(endpoint: Endpoint, session: SessionOptions): Promise<ServerStatus> {
  const { rows } = await withClient(endpoint, session, async (client) => client.query<ServerStatus>(serverStatus.text));
  const [row] = rows;
  if (row === undefined) throw new Error('the server returned no facts');
  return row;
}

function newest(answers: readonly Answer[]): Endpoint | undefined {
  const writable = answers.flatMap(({ endpoint, outcome }) =>
    outcome.status === 'fulfilled' && !outcome.value.readOnly && !outcome.value.inRecovery
      ? [{ endpoint, timeline: outcome.value.timeline }]
      : [],
  );
  return writable.toSorted((one, other) => other.timeline - one.timeline)[0]?.endpoint;
}

function whyNone(answers: readonly Answer[]): unknown {
  const refusal = answers.find(
    ({ outcome }) => outcome.status === 'rejected' && classifyFailure(outcome.reason) !== 'unavailable',
  );
  if (refusal?.outcome.status === 'rejected') return refusal.outcome.reason;
  const reasons = answers.map(({ endpoint, outcome }) => `${placeOf(endpoint)}: ${reasonOf(outcome)}`);
  return new NoPrimaryError(`none of the servers takes writes: ${reasons.join('; ')}`);
}

function reasonOf(outcome: PromiseSettledResult<ServerStatus>): string {
  if (outcome.status === 'rejected') return describeFailure(outcome.reason);
  return outcome.value.inRecovery ? 'it is a standby' : 'it is read-only';
}
