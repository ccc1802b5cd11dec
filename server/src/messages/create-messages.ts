import { randomUUIDv7 } from 'node:crypto';

import { conversationLocks } from '../conversations/conversations-sql.ts';
import type { Databases } from '../db/databases.ts';
import { ChangesReader } from './changes-reader.ts';
import { ChangeLog } from './changes.ts';
import { MessageHistory } from './message-history.ts';
import { MessageListsReader } from './message-lists-reader.ts';
import { MessageReader } from './message-reader.ts';
import { MessageSearch } from './message-search.ts';
import type { Memberships } from './message-target.ts';
import { MessageWriter } from './message-writer.ts';
import { Messages } from './messages.ts';
import { ReactionReader } from './reaction-reader.ts';
import { Reactions } from './reactions.ts';
import { ReadMarkWriter } from './read-mark-writer.ts';
import { ReadingReader } from './reading-reader.ts';
import { Reading } from './reading.ts';
import { RevisionReader } from './revision-reader.ts';
import { SearchReader } from './search-reader.ts';

/** The use cases of messages. */
export interface MessageServices {
  readonly messages: Messages;
  readonly history: MessageHistory;
  readonly reactions: Reactions;
  readonly reading: Reading;
  readonly changes: ChangeLog;
  readonly search: MessageSearch;
  readonly newId: () => string;
}

/** The messages of a worker. */
export function createMessages({ reads, writes, lockedWrites }: Databases, memberships: Memberships): MessageServices {
  const messages = new MessageReader(reads);
  const lists = new MessageListsReader(reads);
  const writer = new MessageWriter(lockedWrites(conversationLocks));
  const shared = { messages, lists, writer, memberships };
  return {
    messages: new Messages({ ...shared, reader: messages }),
    history: new MessageHistory({ ...shared, revisions: new RevisionReader(reads) }),
    reactions: new Reactions({ ...shared, reader: new ReactionReader(reads) }),
    reading: new Reading({ ...shared, reader: new ReadingReader(reads), writer: new ReadMarkWriter(writes) }),
    changes: new ChangeLog(new ChangesReader(reads)),
    search: new MessageSearch(new SearchReader(reads)),
    newId: randomUUIDv7,
  };
}
