import type { IncomingHttpHeaders } from 'node:http';

import { socketPath, subprotocol } from '@messenger/protocol/close-codes';

import { AppError, invalidHeader } from '../lib/app-error.ts';
import { bearerOf } from '../http/access.ts';
import type { HttpServer } from '../http/server.ts';
import type { SessionCookies } from '../http/session-cookie.ts';
import { acceptUpgrade } from '../http/upgrade.ts';
import type { OpenSocket } from './socket.ts';
import type { Sockets } from './sockets.ts';

const description =
  `Upgrades the connection to WebSocket (RFC 6455, version 13) with the subprotocol \`${subprotocol}\`. The session comes by cookie, or in the ` +
  'first frame, `hello`. Browsers may upgrade with a cookie only from pages of this server.';

const schema = {
  operationId: 'open_socket',
  tags: ['realtime'],
  summary: 'Open a socket for changes as they happen',
  description,
  response: { 101: { description: 'The connection speaks WebSocket now', type: 'null' } },
} as const;

const config = {
  access: 'anyone',
  upgrades: true,
  endless: true,
  refusals: [
    'invalid_request',
    'upgrade_required',
    'cross_site_request',
    'too_many_sockets',
    'not_ready',
    'overloaded',
  ],
} as const;

export interface SocketRouteOptions {
  readonly sockets: Sockets;
  readonly cookies: SessionCookies;
  readonly open: OpenSocket;
}

/** The route of sockets. A refused upgrade has an ordinary answer, with a problem. */
export function socketRoute(app: HttpServer, { sockets, cookies, open }: SocketRouteOptions): void {
  app.get(socketPath, { schema, config }, (request, reply) => {
    const { headers, ip: address, raw } = request;
    if (raw.upgradeHead === undefined || headers['sec-websocket-version'] !== '13') {
      reply.headers({ upgrade: 'websocket', 'sec-websocket-version': '13' });
      throw new AppError('upgrade_required');
    }
    checkHandshake(headers);
    // Pages of other sites may open sockets, and browsers send the cookie with them: as for a change, the page counts.
    const sessionToken = bearerOf(headers.authorization) ?? cookies.read({ method: 'POST', headers });
    sockets.admit(address);
    const upgraded = acceptUpgrade(reply);
    if (upgraded !== undefined)
      sockets.add(raw, upgraded, { address, sessionToken, userAgent: headers['user-agent'] }, open);
  });
}

/** What `ws` would refuse with an answer of its own. */
function checkHandshake(headers: IncomingHttpHeaders): void {
  if (!/^[\w+/]{22}==$/u.test(headers['sec-websocket-key'] ?? ''))
    throw invalidHeader('Sec-WebSocket-Key', 'must be 16 bytes in Base64');
  const wanted = headers['sec-websocket-protocol'] ?? '';
  if (!wanted.split(',').some((one) => one.trim() === subprotocol))
    throw invalidHeader('Sec-WebSocket-Protocol', `must contain ${subprotocol}`);
  headers['sec-websocket-protocol'] = subprotocol;
}
