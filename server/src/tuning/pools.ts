import { planConnections } from '../db/connection-budget.ts';
import { reservedByServer, tuneMaxConnections } from './connections.ts';
import type { Profile, Tuned } from './profile.ts';

/** The guide's, "for safety margin" below what its formula gives; the default of DB_WRITE_MAX_OPEN_CONNS, too. */
const guideMaxOpen = 100;

/**
 * Options of Messenger. Pools by the guide's formula, (max_connections − reserve) / instances, counted for what opens
 * pools: each worker of each instance, as the start of the server counts it (db/connection-budget.ts).
 */
export function tunePools(profile: Profile): Tuned[] {
  const { workers, instances } = profile;
  const { count } = tuneMaxConnections(profile);
  const pools = workers * instances;
  const capacity = { name: 'the server', maxConnections: count, reservedByServer, reserve: undefined };
  const wish = { role: 'write', maxOpen: guideMaxOpen, askedBy: undefined } as const;
  const { maxOpen, problems } = planConnections(capacity, pools, [wish]);
  if (maxOpen.write === undefined) throw new Error(`max_connections was chosen too small: ${problems.join(' ')}`);
  return [
    { name: 'WORKERS', value: String(workers), reason: 'worker processes of one instance' },
    ...(['WRITE', 'READ'] as const).flatMap((role) => sizesOf(role, maxOpen.write ?? 0, { count, pools })),
  ];
}

function sizesOf(
  role: 'WRITE' | 'READ',
  maxOpen: number,
  { count, pools }: { readonly count: number; readonly pools: number },
): Tuned[] {
  const reserve = Math.floor(count / 5);
  const formula = `(${count} − ${reservedByServer} reserved by PostgreSQL − ${reserve} for administration) / ${pools} workers`;
  const server = role === 'WRITE' ? 'the primary' : 'the standby';
  const compared =
    maxOpen < guideMaxOpen
      ? `; the guide's ${guideMaxOpen} would be ${guideMaxOpen * pools} on ${server}, more than it has`
      : `, and not more than the guide's ${guideMaxOpen}`;
  return [
    { name: `DB_${role}_MAX_OPEN_CONNS`, value: String(maxOpen), reason: `${formula}${compared}` },
    {
      name: `DB_${role}_MAX_IDLE_CONNS`,
      value: String(Math.floor(maxOpen / 2)),
      reason: 'half of them stay open when there is nothing to do, as in the guide',
    },
  ];
}
