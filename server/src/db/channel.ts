import { TLSSocket } from 'node:tls';

import { socketOf } from './connection.ts';

/** The connection to the server, or to a pooler before it. */
export interface Channel {
  /** Undefined for a Unix socket. */
  readonly address: string | undefined;
  /** Undefined without TLS. */
  readonly tls: Tls | undefined;
}

interface Tls {
  readonly protocol: string;
  /** When the peer's certificate, or one in its chain, expires; undefined when it sent none. */
  readonly endsMs: number | undefined;
}

/** The channel of an open session. */
export function channelOf(client: object): Channel {
  const socket = socketOf(client);
  return { address: socket?.remoteAddress, tls: socket instanceof TLSSocket ? tlsOf(socket) : undefined };
}

function tlsOf(socket: TLSSocket): Tls {
  const ends: number[] = [];
  let issued: string | undefined;
  // A root is its own issuer.
  for (let one = socket.getPeerX509Certificate(); one !== undefined; one = one.issuerCertificate) {
    if (one.fingerprint256 === issued) break;
    issued = one.fingerprint256;
    ends.push(one.validToDate.getTime());
  }
  return { protocol: socket.getProtocol() ?? 'TLS', endsMs: ends.length === 0 ? undefined : Math.min(...ends) };
}
