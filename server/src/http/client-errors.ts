import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

import type { ErrorCode } from '@messenger/protocol/errors';

import type { EarlyAnswers } from './early-answers.ts';

/** An error of Node's HTTP parser, with the last bytes and the number of those parsed. */
interface ClientError {
  readonly code?: string;
  readonly rawPacket?: unknown;
  readonly bytesParsed?: number;
}

/** Refusals by the error code of Node's HTTP parser. */
const parserCodes: Readonly<Record<string, ErrorCode>> = {
  HPE_HEADER_OVERFLOW: 'headers_too_large',
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 'body_too_large',
  ERR_HTTP_REQUEST_TIMEOUT: 'request_timeout',
};

/** A request line (RFC 9112, 3), from the line in which the parser stopped. */
const requestLine = /^[\w!#$%&'*+.^`|~-]+ \S+ HTTP\/(?<major>\d)\.\d\r?$/u;

/**
 * Answers bytes that are not a valid request: malformed, too large or too slow headers. Then closes the connection, because the start of
 * the next request is unknown. `owed` is the response to the newest request of the connection. If it is pending, the client would mistake
 * our answer for it: it is finished, and the connection closed without another answer.
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

/** The `Origin` of an incomplete request. Only an allowed origin is copied into the answer. */
function originIn({ rawPacket }: ClientError): string | undefined {
  if (!Buffer.isBuffer(rawPacket)) return undefined;
  return /^origin:[ \t]*(?<origin>\S+)[ \t]*\r?$/imu.exec(rawPacket.toString('latin1'))?.groups?.['origin'];
}
