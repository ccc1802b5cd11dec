import { ServerResponse } from 'node:http';

import type { FastifyReply } from 'fastify';

export const jsonType = 'application/json; charset=utf-8';
export const problemType = 'application/problem+json; charset=utf-8';

/** Allows only our own files: pages load nothing from other hosts. */
const contentSecurityPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "font-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
].join(';');

/** Browsers must not sniff the type, or they might run JSON as a script or show it as a page. */
const noSniff = 'X-Content-Type-Options: nosniff\r\n';

/** Responses are current data or private: caches must not store them. */
const noStore = 'Cache-Control: no-store\r\n';

/** The constant headers of JSON answers. The others concern pages, and are 600 bytes. */
export const jsonHeaders = noSniff + noStore;

/** Media types of JSON answers; others count as pages. */
const jsonTypes: ReadonlySet<unknown> = new Set([jsonType, problemType]);

/** The defaults of helmet 8, without `Strict-Transport-Security`, which a TLS proxy must set. */
const pageHeaders = `Content-Security-Policy: ${contentSecurityPolicy}\r
Cross-Origin-Opener-Policy: same-origin\r
Cross-Origin-Resource-Policy: same-origin\r
Origin-Agent-Cluster: ?1\r
Referrer-Policy: no-referrer\r
X-DNS-Prefetch-Control: off\r
X-Download-Options: noopen\r
X-Frame-Options: SAMEORIGIN\r
X-Permitted-Cross-Domain-Policies: none\r
X-XSS-Protection: 0\r
${noSniff}`;

declare module 'http' {
  interface OutgoingMessage {
    /** Undocumented method of Node: renders the head from the status line and the headers. */
    _storeHeader(statusLine: string, headers: unknown): void;
  }
}

/**
 * An answer with the constant headers, which are inserted as text after the status line. Set one by one, they cost 2.2 µs of the 17 of a
 * GET, because Node validates each name and value. If Node renames the method, server/src/http/security-headers.test.ts fails.
 */
export class SecuredResponse extends ServerResponse {
  /** Further headers as text; see `addHeaderLines`. */
  headerLines = '';

  override _storeHeader(statusLine: string, headers: unknown): void {
    super._storeHeader(statusLine + constantHeaders(headers) + this.headerLines, headers);
  }
}

/** Adds headers that are known to be valid: `Name: value`, each with its line end. Answers of `inject` in tests get them one by one. */
export function addHeaderLines(reply: FastifyReply, lines: string): void {
  const { raw } = reply;
  if (raw instanceof SecuredResponse) raw.headerLines += lines;
  else for (const [, name = '', value] of lines.matchAll(/^([\w-]+): (.*)\r$/gmu)) reply.header(name, value);
}

/** Headers are an object with lower-case names, or a list from `EarlyAnswers`, which sends JSON. */
function constantHeaders(headers: unknown): string {
  if (typeof headers !== 'object' || headers === null || Array.isArray(headers)) return jsonHeaders;
  const block = 'content-type' in headers && !jsonTypes.has(headers['content-type']) ? pageHeaders : noSniff;
  if ('cache-control' in headers) return block;
  return block === noSniff ? jsonHeaders : pageHeaders + noStore;
}
