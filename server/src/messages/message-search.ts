import { searchLimitDefault, searchWordsMax } from '@messenger/protocol/limits';
import type { Message } from '@messenger/protocol/messages';
import type { SearchQuery, SearchResult } from '@messenger/protocol/search';

import type { Caller } from '../db/caller.ts';
import { invalidQuery } from '../lib/app-error.ts';
import { encodeParts, isCount, isTimestamp, isUuid, readParts } from '../lib/page-cursor.ts';
import type { SignedIn } from '../lib/signed-in.ts';
import type { SearchPlace, SearchReader } from './search-reader.ts';
import { highlightsOf, prefixQueryOf, searchTermsOf } from './search-words.ts';

export interface ResultPage {
  readonly results: SearchResult[];
  /** Cursor of the next page; undefined when this page is not full. */
  readonly next: string | undefined;
}

/** Searches the messages that an account may read. Rejects with `invalid_request` for a text without words, and for an invalid cursor. */
export class MessageSearch {
  readonly #reader: SearchReader;

  constructor(reader: SearchReader) {
    this.#reader = reader;
  }

  /** Newest first. */
  async find(query: SearchQuery, { userId }: SignedIn, caller: Caller): Promise<ResultPage> {
    const { limit = searchLimitDefault, conversation: conversationId, from: senderId, before, after } = query;
    const terms = readTerms(query.q);
    const call = { userId, words: prefixQueryOf(terms), conversationId, senderId, before, after, limit };
    const messages = await this.#reader.search({ ...call, place: readPlace(query.cursor) }, caller);
    const last = messages.length === limit ? messages.at(-1) : undefined;
    return {
      results: messages.map((message) => ({ message, highlights: highlightsOf(message.body ?? '', terms) })),
      next: last && cursorOf(last),
    };
  }
}

function readTerms(q: string): string[] {
  const terms = searchTermsOf(q);
  if (terms.length === 0) throw invalidQuery('q', 'has no word');
  if (terms.length > searchWordsMax) throw invalidQuery('q', `has more than ${searchWordsMax} words`);
  return terms;
}

function cursorOf({ created_at: createdAt, conversation_id: conversationId, number }: Message): string {
  return encodeParts([createdAt, conversationId, String(number)]);
}

function readPlace(cursor: string | undefined): SearchPlace | undefined {
  if (cursor === undefined) return undefined;
  const [createdAt = '', conversationId = '', number] = readParts(cursor, [isTimestamp, isUuid, isCount]);
  return { createdAt, conversationId, number: Number(number) };
}
