/** Limits of the API. The server enforces each of them. */

/** A first or last name: Unicode code points after trimming and NFC. */
export const nameMaxLength = 100;

/** A username, after folding; and the longest text that is accepted as one, or as a password, before folding. */
export const usernameMaxLength = 32;
export const credentialMaxLength = 1024;

/** A password, in Unicode code points after NFKC. */
export const passwordMinLength = 12;
export const passwordMaxLength = 256;

/** Rows per page: default and maximum. */
export const pageLimitDefault = 100;
export const pageLimitMax = 1000;

/** The maximum `offset`. Clients use `after` for deep pages. */
export const pageOffsetMax = 2_147_483_647;

/** An `Idempotency-Key`: its maximum length in ASCII characters, and its retention in hours. */
export const idempotencyKeyMaxLength = 255;
export const idempotencyKeyHours = 24;

/** Members of a conversation. */
export const groupMembersMax = 1_000;
export const channelMembersMax = 100_000;

/** Titles and descriptions of conversations, and bodies of messages, in Unicode code points. */
export const titleMaxLength = 100;
export const aboutMaxLength = 1_000;
export const messageMaxLength = 8_000;

/** Messages per page: default and maximum. */
export const messagesLimitDefault = 50;
export const messagesLimitMax = 200;

/** A search: its text in Unicode code points, its words, and messages per page: default and maximum. */
export const searchMaxLength = 200;
export const searchWordsMax = 32;
export const searchLimitDefault = 20;
export const searchLimitMax = 100;

/** Kinds of reactions per message. */
export const reactionKindsMax = 50;

/** In groups of at most this many people, every member may mention everybody, and readers of a message are listed in larger ones not. */
export const mentionAllMax = 20;
export const readersMax = 100;

/** Valid invites of a conversation. */
export const invitesMax = 100;

/** Conversations that one socket has open. */
export const openConversationsMax = 100;

/** People whose presence one socket follows. */
export const presenceUsersMax = 500;
