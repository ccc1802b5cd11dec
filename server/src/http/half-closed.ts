import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/**
 * When the client is told that its request is being worked on, after it has ended its side of the connection. Most answers are
 * there before.
 */
const interimMs = [25, 75] as const;

/**
 * A client may end its side of the connection and still read its answer; one that has gone away looks the same. To a client
 * with one request in flight this sends `102 Processing` twice: the system of a client that has gone answers the first with a
 * reset, and the second fails, which closes the connection and aborts the request. An HTTP/1.0 client knows no interim answers, and gets none.
 */
export function probeHalfClosed(socket: Socket, answer: ServerResponse): void {
  if (answer.req.httpVersionMinor === 0) return;
  const probe = (): void => {
    if (!answer.headersSent && !socket.destroyed) answer.writeProcessing();
  };
  for (const ms of interimMs) setTimeout(probe, ms).unref();
}
