import { BlockList, isIPv6 } from 'node:net';

import type { ServerCheck } from './about.ts';
import { ok, warn } from './finding.ts';

/** Loopback, and what RFC 1918, 3927 and 4193 set aside: packets with these addresses do not leave the site by themselves. */
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

const encryptionSql = `
  select host(inet_server_addr()) as address, (select version from pg_stat_ssl where pid = pg_backend_pid() and ssl) as version`;

interface Encryption {
  /** Null for a Unix socket. */
  readonly address: string | null;
  /** Null without TLS. */
  readonly version: string | null;
}

/** Whether passwords and rows can be read on the way. */
export const checkEncryption: ServerCheck = async ({ where, role, endpoint, ask }) => {
  const [{ address, version } = { address: null, version: null }] = await ask<Encryption>(encryptionSql);
  const subject = { check: 'encryption', where } as const;
  const option = role === 'primary' ? 'DB_WRITE_TLS' : 'DB_READ_TLS';
  if (version !== null) {
    const isChecked = endpoint.tls?.rejectUnauthorized === true;
    return [
      ok(
        subject,
        isChecked ? `${version}, certificate checked` : `${version}; ${option}=verify-full would check whom we talk to`,
      ),
    ];
  }
  if (address === null) return [ok(subject, 'none needed: a Unix socket')];
  if (near.check(address, isIPv6(address) ? 'ipv6' : 'ipv4'))
    return [ok(subject, 'none: a loopback or private address')];
  return [
    warn(subject, `none, and ${address} is a public address`, `Set ssl = on there, and here ${option}=verify-full.`),
  ];
};
