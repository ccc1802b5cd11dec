import type { ClientFrame, ClientFrames, ServerFrames } from '@messenger/protocol/frames';

import type { Caller } from '../db/caller.ts';
import { keyOf } from '../feed/feed.ts';
import type { SyncServices } from './services.ts';
import type { SyncSocket } from './sync-socket.ts';

type Done = Omit<ServerFrames['done'], 'op' | 'ref'>;
type Write = Extract<ClientFrame, { readonly op: 'send' | 'edit' | 'delete' | 'react' | 'read' }>;

/**
 * Executes a frame by the use case of REST. Calls of one socket are not awaited one by one: they reach the queue of their batch in the order
 * of the frames, in the turn in which these arrive.
 */
export function answer(
  socket: SyncSocket,
  frame: Exclude<ClientFrame, ClientFrames['hello']>,
  services: SyncServices,
): void {
  switch (frame.op) {
    case 'ping':
      return socket.answer({ op: 'pong' });
    case 'close':
      return socket.opened.close(frame.conversation_id.toLowerCase());
    case 'open':
      return settle(socket, frame, async () => {
        services.rules.limit('reads', socket.userId);
        await socket.opened.open(frame.ref, frame.conversation_id.toLowerCase(), frame.after);
      });
    case 'typing':
      return ignoreRefusal(async () => sayTyping(socket, frame.conversation_id.toLowerCase(), services));
    case 'look':
      return ignoreRefusal(async () => services.presence.look(socket, frame.user_ids));
    case 'away':
      socket.isAway = frame.away;
      return services.presence.changed(socket.userId);
    case 'send':
    case 'edit':
    case 'delete':
    case 'react':
    case 'read':
      return settle(socket, frame, async () => write(socket, frame, services));
  }
}

function settle(socket: SyncSocket, { op, ref }: { op: string; ref: string }, run: () => Promise<void>): void {
  void run().catch((error: unknown) => {
    if (!socket.hasEnded) socket.refuse(op, ref, error);
  });
}

/** Frames without an answer. */
function ignoreRefusal(run: () => Promise<void>): void {
  void run().catch(() => undefined);
}

async function sayTyping(socket: SyncSocket, id: string, services: SyncServices): Promise<void> {
  const { userId } = socket;
  if (!services.mayType(id, userId)) return;
  const hidden = await services.audience.typing({ conversationId: id, userId }, socket.caller());
  if (hidden === undefined) return;
  services.emitter.emit({
    key: keyOf('conversation_id', id),
    kind: 'typing',
    conversation_id: id,
    user_id: userId,
    hidden,
  });
}

async function write(socket: SyncSocket, frame: Write, services: SyncServices): Promise<void> {
  services.rules.limit('writes', socket.userId);
  const caller = socket.caller(undefined, services.rules.newRequestId());
  const done = await execute(frame, socket, services, caller);
  const position = caller.seen === undefined ? {} : { position: services.stream.position(caller.seen) };
  socket.answer({ op: 'done', ref: frame.ref, ...position, ...done });
}

async function execute(frame: Write, { account }: SyncSocket, domains: SyncServices, caller: Caller): Promise<Done> {
  const conversationId = frame.conversation_id.toLowerCase();
  switch (frame.op) {
    case 'send': {
      const target = { conversationId, messageId: frame.id };
      const { message, isRepeat } = await domains.messages.send(target, frame, account, caller);
      if (isRepeat) domains.figures.repeats += 1;
      return { number: message.number, seq: message.seq, created_at: message.created_at };
    }
    case 'edit': {
      const { seq } = await domains.history.edit({ conversationId, number: frame.number }, frame.body, account, caller);
      return { seq };
    }
    case 'delete':
      await domains.history.delete({ conversationId, number: frame.number }, account, caller);
      return {};
    case 'react': {
      const change = frame.on ? 'add' : 'remove';
      await domains.reactions[change]({ conversationId, number: frame.number }, frame.emoji, account, caller);
      return {};
    }
    case 'read':
      await domains.reading.read({ conversationId, number: frame.number }, account, caller);
      return {};
  }
}
