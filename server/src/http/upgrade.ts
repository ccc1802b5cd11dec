import type http from 'node:http';
import type { Socket } from 'node:net';

import type { FastifyInstance, FastifyReply } from 'fastify';

import { exchangeOf } from './exchange.ts';
import { SecuredResponse } from './security-headers.ts';

declare module 'http' {
  interface IncomingMessage {
    /** Of a request that asks for another protocol: the bytes that came behind it. */
    upgradeHead?: Buffer;
  }
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Whether clients of this GET route may ask for WebSocket. Elsewhere such a wish is ignored, as RFC 9110, 7.8 allows. */
    upgrades?: boolean;
  }
}

/** Upgraded connections belong to their new protocol. */
export interface Upgraded {
  readonly socket: Socket;
  /** Received behind the request. */
  readonly head: Buffer;
}

/** The paths of routes with `config.upgrades` that are added from now on. */
export function collectUpgrades(app: FastifyInstance, paths: Set<string>): void {
  app.addHook('onRoute', ({ url, method, config }) => {
    if (config?.upgrades === true && method === 'GET') paths.add(url);
  });
}

export function wantsUpgrade({ method, url = '', headers }: http.IncomingMessage, paths: ReadonlySet<string>): boolean {
  const path = url.replace(/\/?(?:\?.*)?$/u, '');
  return method === 'GET' && headers.upgrade?.toLowerCase() === 'websocket' && paths.has(path);
}

/**
 * Passes requests for an upgrade to `take` like others, with a response: Node hands over only the socket. If the handler does not call
 * `acceptUpgrade`, the response is sent, and the connection closed.
 */
export function takeUpgrades(
  server: http.Server,
  take: (request: http.IncomingMessage, response: SecuredResponse) => void,
): void {
  server.on('upgrade', (request: http.IncomingMessage, socket: Socket, head: Buffer) => {
    socket.on('error', ignore); // Node has removed its own listener.
    // A request behind unanswered ones: an answer now would be taken for one of theirs.
    if ((socket.connection?.inFlight ?? 0) > 0) return void socket.destroy();
    const response = new SecuredResponse(request);
    response.shouldKeepAlive = false;
    response.assignSocket(socket);
    response.on('finish', () => socket.destroySoon());
    request.upgradeHead = head;
    take(request, response);
  });
}

function ignore(): void {
  // The socket closes, which is handled.
}

/** Ends the HTTP exchange of a request for an upgrade. Undefined if it was a plain request, or the client has disconnected. */
export function acceptUpgrade(reply: FastifyReply): Upgraded | undefined {
  const { raw } = reply;
  const { upgradeHead: head, socket } = raw.req;
  if (head === undefined || raw.destroyed || socket.destroyed) return undefined;
  reply.hijack();
  raw.statusCode = 101;
  raw.detachSocket(socket);
  exchangeOf(raw.req).upgraded(raw);
  return { socket, head };
}
