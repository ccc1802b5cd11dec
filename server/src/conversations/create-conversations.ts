import type { Databases } from '../db/databases.ts';
import { BlockReader } from './block-reader.ts';
import { BlockWriter } from './block-writer.ts';
import { Blocks } from './blocks.ts';
import { ConversationReader } from './conversation-reader.ts';
import { ConversationWriter } from './conversation-writer.ts';
import { Conversations } from './conversations.ts';
import { InviteReader } from './invite-reader.ts';
import { InviteWriter } from './invite-writer.ts';
import { Invites } from './invites.ts';
import { MemberReader } from './member-reader.ts';
import { MemberWriter } from './member-writer.ts';
import { Members } from './members.ts';
import type { RevokeMembership } from './revocations.ts';

export interface ConversationServices {
  readonly conversations: Conversations;
  readonly members: Members;
  readonly invites: Invites;
  readonly blocks: Blocks;
}

/** The use cases of conversations on the databases of a worker. */
export function createConversations(
  { reads, separateWrites: writes }: Pick<Databases, 'reads' | 'separateWrites'>,
  revoke: RevokeMembership,
): ConversationServices {
  return {
    conversations: new Conversations(new ConversationReader(reads), new ConversationWriter(writes), revoke),
    members: new Members(new MemberReader(reads), new MemberWriter(writes), revoke),
    invites: new Invites(new InviteReader(reads), new InviteWriter(writes)),
    blocks: new Blocks(new BlockReader(reads), new BlockWriter(writes)),
  };
}
