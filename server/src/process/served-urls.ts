import { networkInterfaces } from 'node:os';

const wildcards = new Set(['0.0.0.0', '::']);

/**
 * The URLs of a listener on `host`, one of this machine's own first. A wildcard listens on every interface, `::` on
 * both protocols. Link-local addresses are omitted: they need the name of an interface.
 */
export function servedUrls(
  host: string,
  port: number,
  interfaces = networkInterfaces(),
): readonly [string, ...string[]] {
  if (!wildcards.has(host)) return [urlOf(host, port)];
  const all = Object.values(interfaces).flatMap((addresses) => addresses ?? []);
  const served = all.filter(({ family, address }) =>
    family === 'IPv4' ? true : host === '::' && !address.toLowerCase().startsWith('fe80:'),
  );
  const ordered = served.toSorted((a, b) => Number(b.internal) - Number(a.internal));
  const [first = '127.0.0.1', ...others] = ordered.map(({ address }) => address);
  return [urlOf(first, port), ...others.map((address) => urlOf(address, port))];
}

function urlOf(host: string, port: number): string {
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
}
