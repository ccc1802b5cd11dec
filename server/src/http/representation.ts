import { hash } from 'node:crypto';
import { pipeline, Readable } from 'node:stream';

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';

import { chooseCoding, compress, compressor, leastCompressedBytes, type Coding } from './content-coding.ts';
import { isUnchanged } from './preconditions.ts';

/** A response body shared by several clients. Its tag and compressed forms are computed once, on first use. */
export class Representation {
  readonly type: string;
  readonly #kind: 'list' | 'file';
  readonly #text: string;
  #bytes: Buffer | undefined = undefined;
  #isTaken = false;
  #compressed: Map<Coding, Buffer> | undefined = undefined;
  #tag: string | undefined = undefined;

  constructor(type: string, text: string, kind: 'list' | 'file') {
    this.type = type;
    this.#text = text;
    this.#kind = kind;
  }

  /** Small bodies fit into one packet, with their headers. */
  get isSmall(): boolean {
    return this.#text.length < leastCompressedBytes;
  }

  /** Weak, because it is the same for all codings. */
  get tag(): string {
    this.#tag ??= `W/"${hash('sha256', this.#text, 'base64url').slice(0, 22)}"`;
    return this.#tag;
  }

  /** Text for the first client, because most lists have one: Node sends it together with the headers. Bytes for further clients. */
  take(): string | Buffer {
    if (this.#isTaken) return this.#encoded();
    this.#isTaken = true;
    return this.#text;
  }

  compressed(coding: Coding): Buffer {
    this.#compressed ??= new Map();
    let bytes = this.#compressed.get(coding);
    if (bytes === undefined) this.#compressed.set(coding, (bytes = compress(coding, this.#encoded(), this.#kind)));
    return bytes;
  }

  #encoded(): Buffer {
    return (this.#bytes ??= Buffer.from(this.#text));
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
  const coding = body.isSmall ? undefined : chooseCoding(headers['accept-encoding']);
  if (coding !== undefined) reply.header('content-encoding', coding);
  return await reply.type(body.type).send(coding === undefined ? body.take() : body.compressed(coding));
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
