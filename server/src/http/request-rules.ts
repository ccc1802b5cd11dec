import type { IncomingMessage } from 'node:http';

import type { ErrorCode } from '@messenger/protocol/errors';

/** All others are 501: no address here answers them. */
export const knownMethods: ReadonlySet<string> = new Set([
  'DELETE',
  'GET',
  'HEAD',
  'OPTIONS',
  'PATCH',
  'POST',
  'PUT',
  'TRACE',
]);

/** A name or an address with an optional port (RFC 3986, 3.2.2); of two `Host` headers, Node makes a list with a comma. */
const validHost = /^(?:[\w.~!$&'()*+;=%-]*|\[[\da-f:.]+\])(?::\d*)?$/iu;

/** RFC 9112, 3.2.2. User information is refused as RFC 9110, 4.2.4 advises. */
const absoluteForm = /^https?:\/\/(?<authority>[^/?#@]+)(?<rest>[/?][^#]*)?$/iu;

/**
 * Checks what Node's parser leaves to the server, and gives a target in absolute form the shape of all others. Returns the
 * refusal, or undefined. The server's options `joinDuplicateHeaders` and no `requireHostHeader` go with it.
 */
export function checkRequest(request: IncomingMessage): ErrorCode | undefined {
  const { headers, method = '', url = '' } = request;
  if (request.httpVersionMajor !== 1) return 'http_version_not_supported';
  if (!hasOneHost(request)) return 'malformed_request';
  const coding = headers['transfer-encoding'];
  if (coding !== undefined) {
    if (request.httpVersionMinor === 0) return 'malformed_request'; // RFC 9112, 6.1: its end cannot be known.
    if (coding.toLowerCase() !== 'chunked') return 'not_implemented';
  }
  if (!knownMethods.has(method)) return 'not_implemented';
  return url.startsWith('/') ? undefined : takeOtherForm(request, url);
}

/** RFC 9112, 3.2: exactly one, and a valid one; HTTP/1.0 may do without. */
function hasOneHost({ headers: { host }, httpVersionMinor }: IncomingMessage): boolean {
  return host === undefined ? httpVersionMinor === 0 : validHost.test(host);
}

/** The authority of an absolute target is the host, whatever the header says. */
function takeOtherForm(request: IncomingMessage, url: string): ErrorCode | undefined {
  if (url === '*') return request.method === 'OPTIONS' ? undefined : 'malformed_request';
  const { authority, rest = '/' } = absoluteForm.exec(url)?.groups ?? {};
  if (authority === undefined || !validHost.test(authority)) return 'malformed_request';
  request.url = rest.startsWith('/') ? rest : `/${rest}`;
  request.headers.host = authority;
  return undefined;
}
