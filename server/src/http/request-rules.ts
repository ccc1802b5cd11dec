import type { IncomingMessage } from 'node:http';

import type { ErrorCode } from '@messenger/protocol/errors';

/** Other methods are answered with 501; these with 405 where a path does not support them. */
export const knownMethods: ReadonlySet<string> = new Set([
  'DELETE',
  'GET',
  'HEAD',
  'OPTIONS',
  'PATCH',
  'POST',
  'PUT',
  'QUERY',
  'TRACE',
]);

/** A name or address with an optional port (RFC 3986, 3.2.2). Node joins two `Host` headers with a comma. */
const validHost = /^(?:[\w.~!$&'()*+;=%-]*|\[[\da-f:.]+\])(?::\d*)?$/iu;

/** RFC 9112, 3.2.2. User information is refused as RFC 9110, 4.2.4 advises. */
const absoluteForm = /^https?:\/\/(?<authority>[^/?#@]+)(?<rest>[/?][^#]*)?$/iu;

/**
 * Checks what Node's parser leaves to the server, and converts a target in absolute form to origin form. Returns the refusal, or undefined.
 * Requires the server options `joinDuplicateHeaders: true` and `requireHostHeader: false`.
 */
export function checkRequest(request: IncomingMessage): ErrorCode | undefined {
  const { headers, method = '', url = '' } = request;
  if (request.httpVersionMajor !== 1) return 'http_version_not_supported';
  if (!hasOneHost(request)) return 'malformed_request';
  const coding = headers['transfer-encoding'];
  if (coding !== undefined) {
    if (request.httpVersionMinor === 0) return 'malformed_request'; // RFC 9112, 6.1: the end of its body is unknown.
    if (coding.toLowerCase() !== 'chunked') return 'not_implemented';
  }
  if (!knownMethods.has(method)) return 'not_implemented';
  return url.startsWith('/') ? undefined : takeOtherForm(request, url);
}

/** RFC 9112, 3.2: exactly one valid `Host`; optional in HTTP/1.0. */
function hasOneHost({ headers: { host }, httpVersionMinor }: IncomingMessage): boolean {
  return host === undefined ? httpVersionMinor === 0 : validHost.test(host);
}

/** The authority of an absolute target overrides the `Host` header. */
function takeOtherForm(request: IncomingMessage, url: string): ErrorCode | undefined {
  if (url === '*') return request.method === 'OPTIONS' ? undefined : 'malformed_request';
  const { authority, rest = '/' } = absoluteForm.exec(url)?.groups ?? {};
  if (authority === undefined || !validHost.test(authority)) return 'malformed_request';
  request.url = rest.startsWith('/') ? rest : `/${rest}`;
  request.headers.host = authority;
  return undefined;
}
