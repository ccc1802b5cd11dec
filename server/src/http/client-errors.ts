import { STATUS_CODES, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

import { errorCodes, type ErrorCode } from '@messenger/protocol/errors';

import type { HttpObserver } from './observer.ts';
import { problemType, renderProblem } from './problem.ts';

/** What Node's HTTP parser refuses before there is a request. */
const parserCodes: Readonly<Record<string, ErrorCode>> = {
  HPE_HEADER_OVERFLOW: 'headers_too_large',
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 'body_too_large',
  ERR_HTTP_REQUEST_TIMEOUT: 'request_timeout',
};

/**
 * Answers bytes that never became a request: bad HTTP, headers too large, or too slow to arrive. The connection is
 * closed after it, since nobody knows where the next request would begin. `owed` is the answer to the newest request of
 * the connection: where the bytes came after that request, its client would take ours for it, or find ours within it;
 * so it is finished, and the connection is closed without a word.
 */
export function answerClientError(
  error: NodeJS.ErrnoException,
  socket: Socket,
  requestId: string,
  owed: ServerResponse | undefined,
  observer?: HttpObserver,
): void {
  if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy();
  if (owed !== undefined && !owed.writableFinished && (owed.headersSent || owed.req.complete)) {
    return void owed.once('finish', () => socket.destroySoon());
  }
  const code = parserCodes[error.code ?? ''] ?? 'malformed_request';
  const { status } = errorCodes[code];
  const body = renderProblem(code, requestId);
  observer?.requestRefused(code);
  socket.end(
    [
      `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`,
      `content-type: ${problemType}`,
      `content-length: ${Buffer.byteLength(body)}`,
      `request-id: ${requestId}`,
      'connection: close',
      '',
      body,
    ].join('\r\n'),
    () => socket.destroy(),
  );
}
