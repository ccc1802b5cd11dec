import { hash } from 'node:crypto';
import { pipeline, Readable } from 'node:stream';

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';

import { chooseCoding, compress, compressor, leastCompressedBytes, type Coding } from './content-coding.ts';
import { isUnchanged } from './preconditions.ts';

/** A response body shared by several clients. Its tag and compressed forms are computed once, on first use. */
export class Representation {
  readonly type: string;
  readonly bytes: Buffer;
  readonly #kind: 'list' | 'file';
  readonly #compressed = new Map<Coding, Buffer>();
  #tag: string | undefined = undefined;

  constructor(type: string, body: string | Buffer, kind: 'list' | 'file') {
    this.type = type;
    this.bytes = typeof body === 'string' ? Buffer.from(body) : body;
    this.#kind = kind;
  }

  /** Weak, because it is the same for all codings. */
  get tag(): string {
    this.#tag ??= `W/"${hash('sha256', this.bytes, 'base64url').slice(0, 22)}"`;
    return this.#tag;
  }

  compressed(coding: Coding): Buffer {
    let bytes = this.#compressed.get(coding);
    if (bytes === undefined) this.#compressed.set(coding, (bytes = compress(coding, this.bytes, this.#kind)));
    return bytes;
  }
}

/** Answers 200 in a coding that the client accepts, or 304. Returns `never`: the answer is sent, and the handler has no value to return. */
export async function sendRepresentation(
  { headers }: Pick<FastifyRequest, 'headers'>,
  reply: FastifyReply,
  body: Representation,
): Promise<never> {
  addVary(reply, 'Accept-Encoding');
  reply.header('etag', body.tag);
  if (isUnchanged(headers, body.tag)) return await reply.code(304).send();
  const isSmall = body.bytes.length < leastCompressedBytes;
  const coding = isSmall ? undefined : chooseCoding(headers['accept-encoding']);
  if (coding !== undefined) reply.header('content-encoding', coding);
  return await reply.type(body.type).send(coding === undefined ? body.bytes : body.compressed(coding));
}

/** Keeps existing names: @fastify/cors adds `Origin`. */
export function addVary(reply: FastifyReply, name: string): void {
  const others = reply.getHeader('vary');
  reply.header('vary', others === undefined ? name : `${String(others)}, ${name}`);
}

const textTypes = /^(?:text\/|application\/(?:json|javascript|x-yaml)|image\/svg)/u;

/** Compresses text that plugins send. Applies to routes added to `app` after this call. */
export function compressTexts(app: FastifyInstance): void {
  app.addHook('onSend', (request, reply, payload, done) => {
    const body = textBody(reply, payload);
    if (body === undefined) return done(null, payload);
    addVary(reply, 'Accept-Encoding');
    const coding = request.method === 'HEAD' ? undefined : chooseCoding(request.headers['accept-encoding']);
    if (coding === undefined) return done(null, payload);
    reply.header('content-encoding', coding).removeHeader('content-length');
    done(
      null,
      body instanceof Readable ? pipeline(body, compressor(coding), () => undefined) : compress(coding, body, 'file'),
    );
  });
}

function textBody(reply: FastifyReply, payload: unknown): Buffer | Readable | undefined {
  if (reply.statusCode !== 200 || !textTypes.test(String(reply.getHeader('content-type')))) return undefined;
  if (payload instanceof Readable) return payload;
  return typeof payload === 'string' && payload.length >= leastCompressedBytes ? Buffer.from(payload) : undefined;
}
