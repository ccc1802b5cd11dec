/**
 * Parses HTTP/1.1 answers as our API sends them: a status line, headers, and a body with a length, in chunks, or none (204, 304).
 * Everything else (HTTP/1.0, bodies that end with the connection, 1xx, trailers, extra bytes) is malformed. With node:http a
 * request costs 2.9 times the CPU on the machine that is shared with the server (median of four interleaved pairs: 30 µs against
 * 90; 1,500 connections with an agent each, five small GETs on each, `process.cpuUsage` of the client).
 */

export interface Answer {
  readonly status: number;
  /** False when the server said `Connection: close`. */
  readonly keepsConnection: boolean;
  readonly retryAfter: string | undefined;
  readonly consistencyToken: string | undefined;
  readonly link: string | undefined;
  /** Valid until the next `push`: it may be part of the caller's buffer. */
  readonly body: Buffer;
}

/** The message never quotes the bytes. */
export class MalformedAnswer extends Error {
  override readonly name = 'MalformedAnswer';
}

const maxHeadBytes = 32_768;
const maxBodyBytes = 16 * 1024 * 1024;
const nothing = Buffer.alloc(0);

type Framing = { readonly length: number } | 'chunked';

interface Head extends Omit<Answer, 'body'> {
  readonly framing: Framing;
  readonly bodyStart: number;
}

interface Body {
  readonly body: Buffer;
  readonly end: number;
}

/** Parses the answers of one connection, one at a time. */
export class AnswerReader {
  #bytes: Buffer = nothing;
  #head: Head | undefined;

  /** Whether an answer has begun and is not complete. */
  get isMidway(): boolean {
    return this.#bytes.length > 0;
  }

  /**
   * Takes the next bytes, and returns the answer when it is complete. Copies incomplete data, so the caller may reuse its buffer.
   * Throws `MalformedAnswer`, also for bytes after the answer.
   */
  push(bytes: Buffer): Answer | undefined {
    const all = this.#bytes.length === 0 ? bytes : Buffer.concat([this.#bytes, bytes]);
    this.#head ??= readHead(all);
    const found = this.#head && readBody(all, this.#head);
    if (this.#head === undefined || found === undefined) {
      this.#bytes = all === bytes ? Buffer.from(all) : all;
      return undefined;
    }
    if (found.end !== all.length) throw new MalformedAnswer('more bytes than one answer');
    const { status, keepsConnection, retryAfter, consistencyToken, link } = this.#head;
    this.#head = undefined;
    this.#bytes = nothing;
    return { status, keepsConnection, retryAfter, consistencyToken, link, body: found.body };
  }
}

const headShape = /^HTTP\/1\.1 ([2-5]\d\d) [^\r\n]*\r\n(?:[\w!#$%&'*+.^`|~-]+:[^\r\n\0]*\r\n)*$/u;

/** The headers that are used. */
const headers =
  /^(content-length|transfer-encoding|connection|retry-after|consistency-token|link):[ \t]*([^\r\n]*?)[ \t]*\r$/gimu;

/** undefined while the head is not complete. */
function readHead(bytes: Buffer): Head | undefined {
  const end = bytes.indexOf('\r\n\r\n', 0, 'latin1');
  if (end === -1 ? bytes.length > maxHeadBytes : end > maxHeadBytes) throw new MalformedAnswer('a head without end');
  if (end === -1) return undefined;
  const text = bytes.toString('latin1', 0, end + 2);
  const status = Number(headShape.exec(text)?.[1]);
  if (Number.isNaN(status)) throw new MalformedAnswer('not the head of an HTTP/1.1 answer');
  const values = readHeaders(text);
  return {
    status,
    keepsConnection: values.get('connection')?.toLowerCase() !== 'close',
    retryAfter: values.get('retry-after'),
    consistencyToken: values.get('consistency-token'),
    link: values.get('link'),
    framing: framingOf(status, values),
    bodyStart: end + 4,
  };
}

function readHeaders(head: string): ReadonlyMap<string, string> {
  const values = new Map<string, string>();
  for (const [, name = '', value = ''] of head.matchAll(headers)) {
    const key = name.toLowerCase();
    if (values.has(key)) throw new MalformedAnswer(`two headers ${key}`);
    values.set(key, value);
  }
  return values;
}

function framingOf(status: number, values: ReadonlyMap<string, string>): Framing {
  const length = values.get('content-length');
  const encoding = values.get('transfer-encoding');
  if (status === 204 || status === 304) {
    if (encoding !== undefined || (length ?? '0') !== '0') throw new MalformedAnswer(`a ${status} with a body`);
    return { length: 0 };
  }
  if (encoding !== undefined) {
    if (length !== undefined || encoding.toLowerCase() !== 'chunked')
      throw new MalformedAnswer('a transfer-encoding that is not just `chunked`');
    return 'chunked';
  }
  if (length === undefined) throw new MalformedAnswer('neither content-length nor chunks');
  if (!/^\d{1,8}$/u.test(length) || Number(length) > maxBodyBytes) throw new MalformedAnswer('a wrong content-length');
  return { length: Number(length) };
}

/** undefined while the body is not complete. */
function readBody(bytes: Buffer, { framing, bodyStart }: Head): Body | undefined {
  if (framing === 'chunked') return readChunks(bytes, bodyStart);
  const end = bodyStart + framing.length;
  return bytes.length < end ? undefined : { body: bytes.subarray(bodyStart, end), end };
}

function readChunks(bytes: Buffer, from: number): Body | undefined {
  const parts: Buffer[] = [];
  let at = from;
  for (;;) {
    const size = readChunkSize(bytes, at);
    if (size === undefined) return undefined;
    const start = size.end;
    const end = start + size.length;
    if (end - from > maxBodyBytes) throw new MalformedAnswer('a body without end');
    if (bytes.length < end + 2) return undefined;
    if (bytes.toString('latin1', end, end + 2) !== '\r\n')
      throw new MalformedAnswer('a chunk that is longer than it says');
    if (size.length === 0) return { body: Buffer.concat(parts), end: end + 2 };
    parts.push(bytes.subarray(start, end));
    at = end + 2;
  }
}

/** `1f4\r\n`: no more than six digits, no extension. */
function readChunkSize(bytes: Buffer, at: number): { readonly length: number; readonly end: number } | undefined {
  const lineEnd = bytes.indexOf('\r\n', at, 'latin1');
  const line = bytes.toString('latin1', at, lineEnd === -1 ? Math.min(bytes.length, at + 8) : lineEnd);
  if (lineEnd === -1 ? line.length > 7 : !/^[\da-f]{1,6}$/iu.test(line))
    throw new MalformedAnswer('a wrong size of a chunk');
  return lineEnd === -1 ? undefined : { length: Number.parseInt(line, 16), end: lineEnd + 2 };
}
