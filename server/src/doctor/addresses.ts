import { isIP } from 'node:net';

import type { Endpoint } from '../db/endpoint.ts';
import { withDeadline } from '../lib/with-deadline.ts';
import { ok, warn, type Finding } from './finding.ts';

/** Like `dns.lookup` with `all`. */
export type Lookup = (host: string) => Promise<readonly { readonly address: string; readonly family: number }[]>;

/** In ms. Without an answer in this time, reports nothing: another check reports unreachable servers. */
const lookupTimeoutMs = 2_000;

/**
 * With several addresses behind a name, each connection may reach a different server. One IPv4 and one IPv6 address count as one
 * machine.
 */
export async function checkAddresses(endpoints: readonly Endpoint[], lookup: Lookup): Promise<Finding> {
  const subject = { check: 'addresses', where: 'here' } as const;
  const hosts = [...new Set(endpoints.map(({ host }) => host))].filter(
    (host) => !host.startsWith('/') && isIP(host) === 0,
  );
  const several = (await Promise.all(hosts.map(async (host) => describeSeveral(host, lookup)))).flat();
  if (several.length === 0) return ok(subject, hosts.length === 0 ? 'no names' : 'each name leads to one machine');
  const advice =
    'Each connection may reach a different server, but tokens and lag refer to one. Name each server: DB_READ_HOST=a,b, or give a name that follows the primary.';
  return warn(subject, several.join('; '), advice);
}

async function describeSeveral(host: string, lookup: Lookup): Promise<string[]> {
  const found = await withDeadline(lookup(host), lookupTimeoutMs).catch(() => []);
  const ofFamily = (wanted: number): string[] => [
    ...new Set(found.filter(({ family }) => family === wanted).map(({ address }) => address)),
  ];
  const most = [ofFamily(4), ofFamily(6)].find((addresses) => addresses.length > 1);
  return most === undefined ? [] : [`${host} leads to ${most.join(', ')}`];
}
