import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** Delays in ms of the interim responses after the client has closed its side. Most responses are faster. */
const interimMs = [25, 75] as const;

/**
 * A client may close its side of the connection and still read the response; a client that has disconnected looks the same. If one request
 * is in flight, sends `102 Processing` twice: the system of a disconnected client answers the first with a reset, and the second fails,
 * which closes the connection and aborts the request. HTTP/1.0 has no interim responses.
 */
export function probeHalfClosed(socket: Socket, answer: ServerResponse): void {
  if (answer.req.httpVersionMinor === 0) return;
  const probe = (): void => {
    if (!answer.headersSent && !socket.destroyed) answer.writeProcessing();
  };
  for (const ms of interimMs) setTimeout(probe, ms).unref();
}
