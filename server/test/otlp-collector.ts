import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after } from 'node:test';

/** What a collector received. */
export interface Collector {
  readonly url: string;
  readonly headers: () => IncomingHttpHeaders;
  /** Every byte, as text. */
  readonly text: () => string;
  readonly spans: () => ReceivedSpan[];
}

export interface ReceivedSpan {
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string;
  /** Span ids. */
  readonly links: readonly string[];
  readonly isError: boolean;
  /** Those that are not text are empty. */
  readonly attributes: Readonly<Record<string, string>>;
}

/** Accepts OTLP over HTTP (protobuf) until the tests of the file end; without `answers` it never answers. */
export async function startCollector({ answers }: { readonly answers: boolean }): Promise<Collector> {
  const bodies: Buffer[] = [];
  let headers: IncomingHttpHeaders = {};
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    headers = request.headers;
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      bodies.push(Buffer.concat(chunks));
      if (answers) response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end();
    });
  });
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(0, '127.0.0.1', resolve);
  await promise;
  after(() => {
    server.close();
    server.closeAllConnections();
  });
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- It listens on a port.
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    headers: () => headers,
    text: () => Buffer.concat(bodies).toString('latin1'),
    spans: () => bodies.flatMap(spansOf),
  };
}

/** Field numbers of opentelemetry/proto/trace/v1/trace.proto: request → resource_spans → scope_spans → spans. */
function spansOf(body: Buffer): ReceivedSpan[] {
  return bytesAt(body, 1)
    .flatMap((resourceSpans) => bytesAt(resourceSpans, 2))
    .flatMap((scopeSpans) => bytesAt(scopeSpans, 2))
    .map((span) => {
      const hex = (field: number): string => bytesAt(span, field)[0]?.toString('hex') ?? '';
      return {
        traceId: hex(1),
        spanId: hex(2),
        parentSpanId: hex(4),
        name: bytesAt(span, 5)[0]?.toString() ?? '',
        attributes: Object.fromEntries(bytesAt(span, 9).map(attributeOf)),
        links: bytesAt(span, 13).map((link) => bytesAt(link, 2)[0]?.toString('hex') ?? ''),
        isError: bytesAt(span, 15).some((status) => status.includes(Buffer.from([0x18, 0x02]))),
      };
    });
}

/** Of opentelemetry/proto/common/v1/common.proto: a key, and a value, of which we read text. */
function attributeOf(pair: Buffer): [string, string] {
  const [key, value] = [bytesAt(pair, 1)[0], bytesAt(pair, 2)[0]];
  return [key?.toString() ?? '', (value && bytesAt(value, 1)[0]?.toString()) ?? ''];
}

/** The length-delimited values of one field of a protobuf message. */
function bytesAt(message: Buffer, wanted: number): Buffer[] {
  const found: Buffer[] = [];
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let shift = 1; ; shift *= 128) {
      const byte = message[at] ?? 0;
      at += 1;
      value += (byte & 127) * shift;
      if (byte < 128) return value;
    }
  };
  while (at < message.length) {
    const key = varint();
    const type = key % 8;
    if (type === 0) varint();
    else if (type === 1) at += 8;
    else if (type === 5) at += 4;
    else {
      const length = varint();
      if (Math.floor(key / 8) === wanted) found.push(message.subarray(at, at + length));
      at += length;
    }
  }
  return found;
}
