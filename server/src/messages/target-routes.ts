import type { FastifyReply } from 'fastify';

import type { MessageTarget } from './message-target.ts';

/** The message that the path of a request names. */
export function targetOf({
  params,
}: {
  readonly params: { readonly conversation_id: string; readonly message: number };
}): MessageTarget {
  return { conversationId: params.conversation_id.toLowerCase(), number: params.message };
}

/** An answer without a body. */
export function done(reply: FastifyReply): null {
  reply.code(204);
  return null;
}
