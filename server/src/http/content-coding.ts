import { brotliCompressSync, constants, createBrotliCompress, createGzip, gzipSync, type ZlibOptions } from 'node:zlib';

/** By preference. Figures: docs/decisions/0044-compression.md. */
const codings = ['br', 'gzip'] as const;
export type Coding = (typeof codings)[number];

/** Smaller bodies fit into one packet with their headers. */
export const leastCompressedBytes = 1_100;

const one = /^[ \t]*(?<coding>[^ \t;]+)[ \t]*(?:;[ \t]*q=(?<weight>[01](?:\.\d{0,3})?)[ \t]*)?$/u;

/**
 * The coding for a value of `Accept-Encoding` (RFC 9110, 12.5.3); undefined for none. Invalid parts are ignored. Own code, because
 * @fastify/accept-negotiator reads `br;q=0, *` as br.
 */
export function chooseCoding(header: string | undefined): Coding | undefined {
  if (header === undefined) return undefined;
  const weights = new Map<string, number>();
  for (const part of header.toLowerCase().split(',')) {
    const { coding, weight = '1' } = one.exec(part)?.groups ?? {};
    if (coding !== undefined) weights.set(coding, Number(weight));
  }
  const unencoded = weights.get('identity') ?? 0;
  let [chosen, best]: [Coding | undefined, number] = [undefined, 0];
  for (const coding of codings) {
    const weight = weights.get(coding) ?? weights.get('*') ?? 0;
    if (weight > best && weight >= unencoded) [chosen, best] = [coding, weight];
  }
  return chosen;
}

/** For lists, which change often. Level 1 of both: higher levels save a tenth of the bytes for two to five times the CPU. */
const fast = { br: brotliOptions(1), gzip: { level: 1 } } as const;
/** For files, which are compressed rarely. */
const small = { br: brotliOptions(5), gzip: { level: 6 } } as const;

function brotliOptions(quality: number) {
  return { params: { [constants.BROTLI_PARAM_QUALITY]: quality } };
}

/** Synchronous: 0.07 ms for a page of 100 users, up to 1.5 ms for the largest page. */
export function compress(coding: Coding, bytes: Buffer, kind: 'list' | 'file'): Buffer {
  const options = kind === 'list' ? fast : small;
  return coding === 'br' ? brotliCompressSync(bytes, options.br) : gzipSync(bytes, options.gzip satisfies ZlibOptions);
}

export function compressor(coding: Coding): NodeJS.ReadWriteStream {
  return coding === 'br' ? createBrotliCompress(small.br) : createGzip(small.gzip);
}
