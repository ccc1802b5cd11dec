import type { Databases } from '../db/databases.ts';
import { ConversationReader } from './conversation-reader.ts';
import { ConversationWriter } from './conversation-writer.ts';
import { Conversations } from './conversations.ts';

/** The use cases of conversations on the databases of a worker. */
export function createConversations({
  reads,
  separateWrites,
}: Pick<Databases, 'reads' | 'separateWrites'>): Conversations {
  return new Conversations(new ConversationReader(reads), new ConversationWriter(separateWrites));
}
