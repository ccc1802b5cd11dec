import { metricsConnections, planConnections } from '../db/connection-budget.ts';
import { guideMaxOpen, planMemory, reservedByServer } from './memory.ts';
import type { Profile, Tuned } from './profile.ts';

/**
 * Messenger's options. Pools by the guide's formula, (max_connections − reserve) / instances, applied to each worker of
 * each instance and to both servers, as at the start (db/connection-budget.ts).
 */
export function tunePools(profile: Profile): Tuned[] {
  const { workers, instances } = profile;
  const { maxConnections } = planMemory(profile);
  const pools = workers * instances;
  const capacity = { name: 'the server', maxConnections, reservedByServer, reserve: undefined };
  const requests = (['write', 'read'] as const).map((role) => ({ role, maxOpen: guideMaxOpen, askedBy: undefined }));
  const { maxOpen, problems } = planConnections(capacity, pools, requests);
  const open = Math.min(maxOpen.write ?? 0, maxOpen.read ?? 0);
  if (problems.length > 0) throw new Error(`max_connections was chosen too small: ${problems.join(' ')}`);
  return [
    { name: 'WORKERS', value: String(workers), reason: 'worker processes of one instance' },
    ...(['WRITE', 'READ'] as const).flatMap((role) => sizesOf(role, open, { maxConnections, pools })),
  ];
}

function sizesOf(
  role: 'WRITE' | 'READ',
  maxOpen: number,
  { maxConnections, pools }: { readonly maxConnections: number; readonly pools: number },
): Tuned[] {
  const formula = formulaOf(maxConnections, pools);
  const compared =
    maxOpen < guideMaxOpen
      ? `: after a failover both pools are on one server; the guide's ${guideMaxOpen} would need ${2 * guideMaxOpen * pools} connections`
      : `, at most the guide's ${guideMaxOpen}`;
  return [
    { name: `DB_${role}_MAX_OPEN_CONNS`, value: String(maxOpen), reason: `${formula}${compared}` },
    {
      name: `DB_${role}_MAX_IDLE_CONNS`,
      value: String(Math.floor(maxOpen / 2)),
      reason: 'half of them stay open when idle, as in the guide',
    },
  ];
}

/** The smaller of the shares of all workers, and of one more during a reload. */
function formulaOf(maxConnections: number, pools: number): string {
  const reserve = Math.floor(maxConnections / 5);
  const reserved = `${maxConnections} − ${reservedByServer} reserved by PostgreSQL`;
  const usual = maxConnections - reservedByServer - reserve;
  const atReload = maxConnections - reservedByServer - metricsConnections;
  return usual / pools <= atReload / (pools + 1)
    ? `(${reserved} − ${reserve} for administration) / ${pools} workers / 2 pools`
    : `(${reserved} − ${metricsConnections} of the supervisor) / ${pools + 1} workers (one more during a reload) / 2 pools`;
}
