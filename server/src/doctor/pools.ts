import type { ConnectionBudget } from '../db/connection-budget.ts';
import { guideMaxOpen, minOpen } from '../tuning/memory.ts';
import { fail, ok, warn, type Finding } from './finding.ts';

const subject = { check: 'pool budget', where: 'all' } as const;

/** Checks that the pools of all workers fit the servers, as the start computes it. */
export function checkPools(plans: readonly ConnectionBudget[], workers: number): Finding[] {
  const problems = [...new Set(plans.flatMap((plan) => plan.problems))];
  const notes = [...new Set(plans.flatMap((plan) => plan.notes))];
  if (problems.length > 0)
    return problems.map((problem) =>
      fail(subject, problem, 'The server refuses to start with this. `messenger tune` prints pool sizes that fit.'),
    );
  const isScarce = plans.some(({ maxOpen }) => Object.values(maxOpen).some((count) => count < minOpen));
  const complaints = [...new Set([...plans.flatMap((plan) => plan.reloadNotes), ...(isScarce ? notes : [])])];
  if (complaints.length > 0)
    return complaints.map((note) => warn(subject, note, '`messenger tune` prints pool sizes that fit.'));
  const sizes = plans.flatMap(({ maxOpen }) => Object.entries(maxOpen).map(([role, count]) => `${role} ${count}`));
  const shrunk = notes.length === 0 ? '' : `, of ${guideMaxOpen} each: more do not fit, and batches need few`;
  return [ok(subject, `${[...new Set(sizes)].join(', ')} connections for each of ${workers} workers${shrunk}`)];
}
