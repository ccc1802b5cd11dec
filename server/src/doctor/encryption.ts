import { BlockList, isIPv6 } from 'node:net';

import { placeOf } from '../db/endpoint.ts';
import type { Server, ServerCheck } from './about.ts';
import { ok, warn, type Finding } from './finding.ts';

/** Loopback, and the private addresses of RFC 1918, 3927 and 4193: packets with these are not routed to the internet. */
const near = new BlockList();
for (const [net, bits] of [
  ['127.0.0.0', 8],
  ['10.0.0.0', 8],
  ['172.16.0.0', 12],
  ['192.168.0.0', 16],
  ['169.254.0.0', 16],
] as const) {
  near.addSubnet(net, bits, 'ipv4');
}
near.addAddress('::1', 'ipv6');
near.addSubnet('fc00::', 7, 'ipv6');
near.addSubnet('fe80::', 10, 'ipv6');

/** Early enough to act. */
const daysBefore = 30;
const dayMs = 86_400_000;

/** Checks whether the connection is encrypted, and how long the certificate is valid. */
export const checkEncryption: ServerCheck = async (server, { nowMs }) => {
  const { tls } = server.channel;
  const days = tls?.endsMs === undefined ? undefined : (tls.endsMs - nowMs) / dayMs;
  return [gradeChannel(server), ...(days === undefined ? [] : [gradeCertificate(server, days)])];
};

function gradeChannel({ where, role, endpoint, channel: { address, tls } }: Server): Finding {
  const subject = { check: 'encryption', where } as const;
  const option = role === 'primary' ? 'DB_WRITE_TLS' : 'DB_READ_TLS';
  if (tls !== undefined) {
    const isChecked = endpoint.tls?.rejectUnauthorized === true;
    const rest = isChecked
      ? ', certificate checked'
      : `; ${option}=verify-full would verify the identity of the server`;
    return ok(subject, `${tls.protocol}${rest}`);
  }
  if (address === undefined) return ok(subject, 'none needed: a Unix socket');
  if (near.check(address, isIPv6(address) ? 'ipv6' : 'ipv4')) return ok(subject, 'none: a loopback or private address');
  return warn(
    subject,
    `none, and ${address} is a public address`,
    `Set ssl = on there, and here ${option}=verify-full.`,
  );
}

/** An expired one is accepted without `verify-full`. */
function gradeCertificate({ where, endpoint }: Server, days: number): Finding {
  const subject = { check: 'certificate', where } as const;
  const found = days < 0 ? 'has expired' : `valid for ${Math.floor(days)} days`;
  if (days >= daysBefore) return ok(subject, found);
  const effect = endpoint.tls?.rejectUnauthorized === true ? 'Then new connections fail' : 'verify-full refuses it';
  const advice = `${effect}. Renew the certificate of ${placeOf(endpoint)}, or of its authority; on PostgreSQL, select pg_reload_conf() takes it.`;
  return warn(subject, found, advice);
}
