import type { FeedTable } from './feed/feed.ts';

/** What workers may follow, and by which columns. The publication of the migrations has the same tables and columns (a test compares). */
export const feedTables: readonly FeedTable[] = [
  { name: 'conversations', keys: ['id'], without: ['search_title'] },
  { name: 'members', keys: ['conversation_id', 'user_id'], without: ['own_changed_at'] },
  { name: 'messages', keys: ['conversation_id'], without: ['sent_hash', 'search'] },
  { name: 'mentions', keys: ['user_id'], without: [] },
  { name: 'sessions', keys: ['user_id'], without: ['token_hash'] },
  {
    name: 'accounts',
    keys: ['user_id'],
    without: ['password_hash', 'search_name', 'search_last_name', 'presence_private'],
  },
  { name: 'blocks', keys: ['user_id'], without: [] },
];
