import { BlockList, isIPv4, isIPv6 } from 'node:net';

/** For IPv6, which writes one address in many ways; it takes several microseconds, and each connection is looked at. */
const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

/** Whether only programs of this machine reach this address. The only name that it knows is `localhost`. */
export function isLoopback(address: string | undefined): boolean {
  if (address === undefined) return false;
  if (isIPv4(address)) return address.startsWith('127.');
  return address === '::1' || address === 'localhost' || (isIPv6(address) && loopback.check(address, 'ipv6'));
}
