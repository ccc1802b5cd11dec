import { BlockList, isIPv4, isIPv6 } from 'node:net';

/** For IPv6, where an address has several notations. Takes several microseconds, and every connection is checked. */
const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

/** Whether only programs on this machine can reach the address. The only host name it accepts is `localhost`. */
export function isLoopback(address: string | undefined): boolean {
  if (address === undefined) return false;
  if (isIPv4(address)) return address.startsWith('127.');
  return address === '::1' || address === 'localhost' || (isIPv6(address) && loopback.check(address, 'ipv6'));
}
