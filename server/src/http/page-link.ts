import type { FastifyReply, FastifyRequest } from 'fastify';

/** Links the next page: the address of the request with these parameters. Call it with a validated request. */
export function linkNext(
  { url, query }: Pick<FastifyRequest, 'url'> & { readonly query: object },
  reply: FastifyReply,
  next: Readonly<Record<string, string | number>>,
): void {
  const given = Object.entries({ ...query, ...next }).map(([name, value]) => [name, String(value)]);
  reply.header('link', `<${url.split('?')[0]}?${new URLSearchParams(given).toString()}>; rel="next"`);
}
