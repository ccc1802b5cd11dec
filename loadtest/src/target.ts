import { lookup } from 'node:dns/promises';
import { once } from 'node:events';
import { BlockList, connect, isIPv6 } from 'node:net';

import type { Address } from './connection.ts';
import { UsageError } from './usage-error.ts';

export interface Target {
  /** As given, without the final slash. */
  readonly baseUrl: string;
  /** For the Host header. */
  readonly host: string;
  readonly address: Address;
  /** Of a session; undefined for none. */
  readonly token: string | undefined;
}

export interface TargetOptions {
  readonly allowRemote: boolean;
  readonly token?: string | undefined;
}

const connectMs = 5_000;

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

/**
 * An address has about 28,000 ports, and a port is unusable for a minute after its connection: one address is enough for 470
 * users per second. Only Linux has all of 127.0.0.0/8 by default.
 */
const loopbackSources = Array.from({ length: 16 }, (_, index) => `127.0.1.${index + 1}`);

/**
 * Resolves the address of the server, once for the whole run. Throws `UsageError` for an invalid URL, and for another machine
 * unless that is allowed: load on a foreign server is an attack.
 */
export async function resolveTarget(baseUrl: string, { allowRemote, token }: TargetOptions): Promise<Target> {
  const url = parseUrl(baseUrl);
  const name = url.hostname.replaceAll(/^\[|\]$/gu, '');
  const { address: host } = await lookup(name).catch((cause: unknown) => {
    throw new UsageError(`There is no machine named ${name}.`, { cause });
  });
  if (!allowRemote && !loopback.check(host, isIPv6(host) ? 'ipv6' : 'ipv4'))
    throw new UsageError(`${baseUrl} is not on this machine. If you may put load on it, add --allow-remote.`);
  const address = { host, port: Number(url.port === '' ? 80 : url.port), ...sourcesFor(host) };
  return { baseUrl: url.origin, host: url.host, address, token };
}

function sourcesFor(host: string): Pick<Address, 'sources'> {
  return process.platform === 'linux' && host.startsWith('127.') ? { sources: loopbackSources } : {};
}

function parseUrl(text: string): URL {
  const url = URL.parse(text);
  if (url?.protocol !== 'http:' || url.pathname !== '/' || url.search !== '' || url.username !== '')
    throw new UsageError(`The base URL must look like http://127.0.0.1:8080, and is ${text}`);
  return url;
}

/** Throws `UsageError` when the connection is refused, and, if users are the load, when the server needs another session. */
export async function assertListening({ baseUrl, address, token }: Target, usesUsersApi: boolean): Promise<void> {
  const socket = connect({ host: address.host, port: address.port, signal: AbortSignal.timeout(connectMs) });
  try {
    await once(socket, 'connect');
  } catch (cause) {
    throw new UsageError(`There is no server at ${baseUrl}. Start one with npm start, or add --start.`, { cause });
  } finally {
    socket.destroy();
  }
  if (usesUsersApi) await (token === undefined ? assertOpen(baseUrl) : assertSignedIn(baseUrl, token));
}

/** Other statuses are results of the test. */
async function assertOpen(baseUrl: string): Promise<void> {
  if ((await statusOf(`${baseUrl}/api/v1/users?limit=1`, {})) !== 401) return;
  throw new UsageError(
    `${baseUrl} needs a session for the users API. Name a file with the token of one (--token-file), or start that server with ` +
      'USERS_API=open for the test.',
  );
}

/** An open users API would ignore the token of a session that has ended, and the test would measure something else. */
async function assertSignedIn(baseUrl: string, token: string): Promise<void> {
  if ((await statusOf(`${baseUrl}/api/v1/me`, { authorization: `Bearer ${token}` })) !== 401) return;
  throw new UsageError(`${baseUrl} refuses the token: its session is unknown or has ended. Sign in again.`);
}

async function statusOf(url: string, headers: Readonly<Record<string, string>>): Promise<number | undefined> {
  const answer = await fetch(url, { headers, signal: AbortSignal.timeout(connectMs) }).catch(() => undefined);
  await answer?.body?.cancel();
  return answer?.status;
}
