import type { Endpoints } from './endpoint.ts';
import { findSettingProblems, findTwins, type InspectedRead, isServable, readFacts } from './server-facts.ts';
import { withClient, type SessionOptions } from './session.ts';

/**
 * The standbys that can serve reads while the primary is unavailable: those that answer, if all of them belong to one
 * cluster and are consistent. Empty when there are none, or when a problem can only be judged with the primary. Never
 * rejects.
 */
export async function inspectStandbys(
  { reads }: Endpoints,
  session: SessionOptions,
): Promise<readonly InspectedRead[]> {
  const answers = await Promise.allSettled(reads.map(async (endpoint) => withClient(endpoint, session, readFacts)));
  const found: InspectedRead[] = [];
  for (const [index, endpoint] of reads.entries()) {
    const answer = answers[index];
    if (answer?.status === 'fulfilled' && isServable(answer.value)) found.push({ endpoint, facts: answer.value });
  }
  const standbys = found.filter(({ facts }) => facts.inRecovery);
  return doFit(standbys) ? standbys : [];
}

function doFit(standbys: readonly InspectedRead[]): boolean {
  const clusters = new Set(standbys.map(({ facts }) => facts.systemIdentifier));
  const problems = standbys.flatMap(({ endpoint, facts }) => findSettingProblems('It', endpoint, facts.settings));
  return clusters.size <= 1 && problems.length === 0 && findTwins(standbys).length === 0;
}
