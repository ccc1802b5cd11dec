/** An address as people write it: an IPv4 address also when it is mapped to IPv6. */
export function clientAddress(address = ''): string {
  return /^::ffff:(?<v4>\d+\.\d+\.\d+\.\d+)$/iu.exec(address)?.groups?.['v4'] ?? address;
}

/** The key of limits per client address: an IPv4 address, also when mapped to IPv6, or the /64 network of an IPv6 address. */
export function clientNetwork(address: string): string {
  const plain = clientAddress(address);
  if (!plain.includes(':')) return plain;
  const [head = '', tail = ''] = address.split('::');
  const before = head === '' ? [] : head.split(':');
  const after = tail === '' ? [] : tail.split(':');
  const zeros = Array.from({ length: Math.max(0, 8 - before.length - after.length) }, () => '0');
  return `${[...before, ...zeros, ...after].slice(0, 4).join(':')}::/64`;
}
