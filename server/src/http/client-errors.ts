import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

import type { ErrorCode } from '@messenger/protocol/errors';

import type { EarlyAnswers } from './early-answers.ts';

/** An error of Node's HTTP parser: what was read last, and how much of it was understood. */
interface ClientError {
  readonly code?: string;
  readonly rawPacket?: unknown;
  readonly bytesParsed?: number;
}

/** What Node's HTTP parser refuses before there is a request. */
const parserCodes: Readonly<Record<string, ErrorCode>> = {
  HPE_HEADER_OVERFLOW: 'headers_too_large',
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 'body_too_large',
  ERR_HTTP_REQUEST_TIMEOUT: 'request_timeout',
};

/** A request line as RFC 9112, 3 has it, from the line in which the parser stopped. */
const requestLine = /^[\w!#$%&'*+.^`|~-]+ \S+ HTTP\/(?<major>\d)\.\d\r?$/u;

/**
 * Answers bytes that never became a request: bad HTTP, headers too large, or too slow to arrive. The connection is
 * closed after it, since nobody knows where the next request would begin. `owed` is the answer to the newest request of
 * the connection: where the bytes came after that request, its client would take ours for it, or find ours within it;
 * so it is finished, and the connection is closed without a word.
 */
export function answerClientError(
  error: ClientError,
  socket: Socket,
  owed: ServerResponse | undefined,
  early: EarlyAnswers,
): void {
  if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy();
  if (owed !== undefined && !owed.writableFinished && (owed.headersSent || owed.req.complete)) {
    return void owed.once('finish', () => socket.destroySoon());
  }
  early.refuseSocket(socket, codeOf(error), owed?.req.headers.origin ?? originIn(error));
}

function codeOf({ code = '', rawPacket, bytesParsed }: ClientError): ErrorCode {
  const known = parserCodes[code];
  if (known !== undefined || !Buffer.isBuffer(rawPacket)) return known ?? 'malformed_request';
  const { major } = requestLine.exec(lineAt(rawPacket, bytesParsed ?? 0))?.groups ?? {};
  if (code === 'HPE_INVALID_METHOD' && major === '1') return 'not_implemented';
  return code === 'HPE_INVALID_VERSION' && major !== undefined && major !== '1'
    ? 'http_version_not_supported'
    : 'malformed_request';
}

function lineAt(packet: Buffer, position: number): string {
  const begin = packet.lastIndexOf('\n', Math.max(0, position - 1)) + 1;
  const end = packet.indexOf('\n', position);
  return packet.toString('latin1', begin, end === -1 ? packet.length : end);
}

/** Of a request that was not understood to its end; only one that is allowed gets into an answer. */
function originIn({ rawPacket }: ClientError): string | undefined {
  if (!Buffer.isBuffer(rawPacket)) return undefined;
  return /^origin:[ \t]*(?<origin>\S+)[ \t]*\r?$/imu.exec(rawPacket.toString('latin1'))?.groups?.['origin'];
}
