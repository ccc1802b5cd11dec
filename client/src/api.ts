// Generated from /openapi.json and protocol/src/frames.ts by `npm run docs`. Do not edit.
/** The types of the API: what REST and the socket send and receive, and the table of all REST calls. */

/** Yes */
export interface Health {
  readonly status: "ok";
}

export interface InvalidField {
  readonly in: "body" | "query" | "path" | "headers";
  /** The name of the field; empty for the whole part */
  readonly field: string;
  readonly message: string;
}

/** A refusal */
export interface Problem {
  /** URI of the problem type */
  readonly type: string;
  readonly title: string;
  readonly status: number;
  /** Stable: programs should switch on it */
  readonly code: string;
  readonly detail?: string | undefined;
  /** Of `not_ready`: why */
  readonly reason?: string | undefined;
  /** Also in the Request-Id header and in the log of the server */
  readonly request_id: string;
  /** All invalid fields */
  readonly errors?: readonly InvalidField[] | undefined;
}

export interface SignUp {
  /** Letters a to z and digits, with single dots, hyphens or underscores between them. Upper case counts as lower case */
  readonly username: string;
  /** 12 to 256 characters after NFKC; refused when it contains the username or is one of the most common passwords */
  readonly password: string;
  readonly first_name: string;
  readonly last_name: string;
  /** For browsers: the session is set as a cookie, and the answer contains no token */
  readonly cookie?: boolean | undefined;
}

export interface Account {
  /** A UUID, version 7: ids sort by the time of creation */
  readonly user_id: string;
  readonly username: string;
  readonly role: "member" | "moderator" | "admin";
  readonly disabled: boolean;
  /** Nobody sees what this account has read, and it sees that of nobody */
  readonly reads_private: boolean;
  /** Nobody sees whether this account is online */
  readonly presence_private: boolean;
  /** RFC 3339, UTC, with microseconds: text sorts like time */
  readonly created_at: string;
}

/** The user */
export interface User {
  /** A UUID, version 7: ids sort by the time of creation */
  readonly id: string;
  readonly first_name: string;
  readonly last_name: string;
  /** RFC 3339, UTC, with microseconds: text sorts like time */
  readonly created_at: string;
  /** RFC 3339, UTC, with microseconds: text sorts like time */
  readonly updated_at: string;
}

export interface Session {
  /** A UUID, version 7: ids sort by the time of creation */
  readonly id: string;
  /** RFC 3339, UTC, with microseconds: text sorts like time */
  readonly created_at: string;
  /** Updated at most once an hour */
  readonly last_used_at: string;
  /** Moves with use, up to a maximum age */
  readonly expires_at: string;
  /** The address that signed in */
  readonly address: string;
  /** The kind of client that signed in */
  readonly client: string;
  /** Whether this request belongs to it */
  readonly is_current: boolean;
}

/** The account, its user and the new session */
export interface SignInAnswer {
  readonly account: Account;
  readonly user: User;
  readonly session: Session;
  /** To be sent as `Authorization: Bearer …`. Shown once; absent when the session is a cookie */
  readonly token?: string | undefined;
}

/** The account and its user */
export interface Member {
  readonly account: Account;
  readonly user: User;
}

/** Accounts and their users */
export type MemberPage = readonly Member[];

export interface SignIn {
  /** In any case */
  readonly username: string;
  /** The current password */
  readonly password: string;
  /** For browsers: the session is set as a cookie, and the answer contains no token */
  readonly cookie?: boolean | undefined;
}

/** The valid sessions */
export type Sessions = readonly Session[];

export interface MemberPatch {
  /** Letters a to z and digits, with single dots, hyphens or underscores between them. Upper case counts as lower case */
  readonly username?: string | undefined;
  readonly first_name?: string | undefined;
  readonly last_name?: string | undefined;
  /** Nobody sees what this account has read, and it sees that of nobody */
  readonly reads_private?: boolean | undefined;
  /** Nobody sees whether this account is online */
  readonly presence_private?: boolean | undefined;
  /** The current password: required for a new username */
  readonly password?: string | undefined;
}

export interface AccountDeletion {
  /** The current password */
  readonly password: string;
  /** What happens to the texts of the own messages */
  readonly messages?: "keep" | "erase" | undefined;
}

export interface PasswordChange {
  /** The current password */
  readonly current: string;
  /** 12 to 256 characters after NFKC; refused when it contains the username or is one of the most common passwords */
  readonly new: string;
}

/** The password is changed, and the session has a new token */
export interface PasswordChanged {
  /** To be sent as `Authorization: Bearer …`. Shown once; absent when the session is a cookie */
  readonly token?: string | undefined;
}

export interface AccountPatch {
  readonly role?: "member" | "moderator" | "admin" | undefined;
  readonly disabled?: boolean | undefined;
}

export interface UserNames {
  readonly first_name: string;
  readonly last_name: string;
}

/** Users, newest first */
export type UserPage = readonly User[];

export interface UserNamesPatch {
  readonly first_name?: string | undefined;
  readonly last_name?: string | undefined;
}

/** A security event */
export interface AuditEvent {
  readonly id: string;
  readonly at: string;
  readonly kind: "account_created" | "account_deleted" | "account_disabled" | "account_enabled" | "password_changed" | "role_changed" | "sessions_ended" | "sign_in_failed" | "signed_in" | "username_changed";
  /** The account that the event is about; null for a name without an account */
  readonly user_id: string | null;
  /** The account that caused it; null before a sign-in, and for the operator on the command line */
  readonly actor_id: string | null;
  /** The address of the client; null on the command line */
  readonly address: string | null;
  /** Of some kinds, such as the new role */
  readonly details: unknown;
}

/** Events, newest first */
export type AuditPage = readonly AuditEvent[];

export interface NewMessage {
  /** Markdown as written. The server never interprets or changes it */
  readonly body: string;
  readonly reply_to?: number | undefined;
  readonly thread_of?: number | undefined;
}

export interface Reaction {
  readonly emoji: string;
  readonly count: number;
  /** The first ten people */
  readonly user_ids: readonly string[];
}

/** The whole state of a message: it replaces an earlier one. Fields without a value are absent */
export interface Message {
  /** A UUID, version 7: ids sort by the time of creation */
  readonly conversation_id: string;
  /** Messages of a conversation are numbered 1, 2, 3 … without gaps */
  readonly number: number;
  /** Chosen by the client that sent it */
  readonly id: string;
  /** The change of the conversation that made this state */
  readonly seq: number;
  /** A UUID, version 7: ids sort by the time of creation */
  readonly sender_id: string;
  /** Markdown as written; absent when deleted */
  readonly body?: string | undefined;
  /** The number of the message that this one answers */
  readonly reply_to?: number | undefined;
  /** The number of the first message of its thread */
  readonly thread_of?: number | undefined;
  /** Of the first message of a thread: its replies */
  readonly thread?: {
    readonly count: number;
    readonly last_number: number;
  } | undefined;
  /** The members that it mentions */
  readonly mentions?: readonly string[] | undefined;
  /** True when it mentions everybody */
  readonly mentions_all?: boolean | undefined;
  readonly reactions?: readonly Reaction[] | undefined;
  /** When it was pinned */
  readonly pinned_at?: string | undefined;
  /** A UUID, version 7: ids sort by the time of creation */
  readonly pinned_by?: string | undefined;
  /** RFC 3339, UTC, with microseconds: text sorts like time */
  readonly created_at: string;
  /** When it was edited last */
  readonly edited_at?: string | undefined;
  /** When it was deleted */
  readonly deleted_at?: string | undefined;
}

/** The messages */
export type Messages = readonly Message[];

export interface MessagePatch {
  /** Markdown as written. The server never interprets or changes it */
  readonly body: string;
}

export interface Revision {
  /** 0 is what was sent */
  readonly revision: number;
  readonly body: string;
  /** RFC 3339, UTC, with microseconds: text sorts like time */
  readonly written_at: string;
}

/** The revisions */
export type Revisions = readonly Revision[];

export interface GivenReaction {
  readonly emoji: string;
  /** A UUID, version 7: ids sort by the time of creation */
  readonly user_id: string;
  /** Null after the end of the account */
  readonly user: User | null;
  /** RFC 3339, UTC, with microseconds: text sorts like time */
  readonly created_at: string;
}

/** Reactions */
export type ReactionPage = readonly GivenReaction[];

export interface ReadMark {
  /** All messages up to this one are read. A lower number than before changes nothing; one beyond the last message counts as the last */
  readonly number: number;
}

/** What the caller has read */
export interface ReadPosition {
  /** All messages up to this number are read */
  readonly read_number: number;
  /** The number of messages after it */
  readonly unread: number;
}

export interface UnreadMark {
  /** This message and all after it are unread */
  readonly number: number;
}

/** Members who have read the message: without its sender, and without those who keep it private */
export type Readers = readonly User[];

/** The sums over all conversations of the caller */
export interface Unread {
  /** Conversations with unread messages */
  readonly conversations: number;
  /** Unread messages */
  readonly messages: number;
  /** Unread messages that mention the caller; at most 100 of each conversation */
  readonly mentions: number;
  /** The same of muted conversations, which are not in the other sums */
  readonly muted: {
    /** Conversations with unread messages */
    readonly conversations: number;
    /** Unread messages */
    readonly messages: number;
    /** Unread messages that mention the caller; at most 100 of each conversation */
    readonly mentions: number;
  };
}

/** Messages that mention the caller or everybody, newest first */
export type MentionPage = readonly Message[];

export interface ConversationInfo {
  /** A UUID, version 7: ids sort by the time of creation */
  readonly id: string;
  readonly kind: "direct" | "group" | "channel";
  /** Empty for direct conversations */
  readonly title: string;
  readonly about: string;
  /** Of channels: everybody with an account finds and joins it */
  readonly is_public: boolean;
  readonly created_by: string | null;
  /** RFC 3339, UTC, with microseconds: text sorts like time */
  readonly created_at: string;
  /** How long a message may be edited; null for ever */
  readonly edit_window_seconds: number | null;
}

export interface Membership {
  /** A UUID, version 7: ids sort by the time of creation */
  readonly user_id: string;
  readonly role: "owner" | "admin" | "member" | "reader";
  /** RFC 3339, UTC, with microseconds: text sorts like time */
  readonly joined_at: string;
  /** Of former members */
  readonly left_at: string | null;
  /** Whether a former member cannot come back */
  readonly banned: boolean;
  /** The change of the conversation that made this state */
  readonly seq: number;
}

/** The states of all that has changed after a position: not each step, but what came of it */
export interface Changes {
  /** A UUID, version 7: ids sort by the time of creation */
  readonly conversation_id: string;
  /** The `after` of the request */
  readonly from: number;
  /** The `after` of the next request: every change up to it is in this page or an earlier one */
  readonly to: number;
  /** Whether `to` is the newest change */
  readonly complete: boolean;
  /** The number of messages now */
  readonly last_number: number;
  /** The number of members now */
  readonly member_count: number;
  /** Null when it has not changed */
  readonly conversation: ConversationInfo | null;
  /** Those that have changed, the oldest change first */
  readonly members: readonly Membership[];
  /** Those that have changed, the oldest change first */
  readonly messages: readonly Message[];
}

/** A matching part of the body, in UTF-16 units; `end` is behind it */
export interface Highlight {
  readonly start: number;
  readonly end: number;
}

export interface SearchResult {
  readonly message: Message;
  readonly highlights: readonly Highlight[];
}

/** The messages */
export type SearchPage = readonly SearchResult[];

/** The member */
export interface MemberWithUser {
  /** A UUID, version 7: ids sort by the time of creation */
  readonly user_id: string;
  readonly role: "owner" | "admin" | "member" | "reader";
  /** RFC 3339, UTC, with microseconds: text sorts like time */
  readonly joined_at: string;
  /** Of former members */
  readonly left_at: string | null;
  /** Whether a former member cannot come back */
  readonly banned: boolean;
  /** The change of the conversation that made this state */
  readonly seq: number;
  /** Null after the end of the account */
  readonly user: User | null;
}

/** Members */
export type MembershipPage = readonly MemberWithUser[];

export interface Addition {
  readonly user_ids: readonly string[];
}

export interface AdditionResult {
  /** A UUID, version 7: ids sort by the time of creation */
  readonly user_id: string;
  readonly outcome: "added" | "already_member" | "banned" | "recipient_unavailable" | "recipient_blocked" | "conversation_full";
}

/** One for each person */
export type AdditionResults = readonly AdditionResult[];

export interface RoleChange {
  readonly role: "owner" | "admin" | "member" | "reader";
}

export interface LastMessage {
  readonly number: number;
  /** A UUID, version 7: ids sort by the time of creation */
  readonly sender_id: string;
  /** The beginning of its text; null when it was deleted */
  readonly preview: string | null;
  /** RFC 3339, UTC, with microseconds: text sorts like time */
  readonly created_at: string;
}

export interface OwnState {
  readonly role: "owner" | "admin" | "member" | "reader";
  /** RFC 3339, UTC, with microseconds: text sorts like time */
  readonly joined_at: string;
  /** All messages up to this number are read */
  readonly read_number: number;
  /** `last_number - read_number` */
  readonly unread: number;
  /** Not counted beyond 100 */
  readonly unread_mentions: number;
  readonly muted_until: string | null;
  readonly pinned: boolean;
  readonly archived: boolean;
}

/** A conversation as the caller sees it */
export interface Conversation {
  /** A UUID, version 7: ids sort by the time of creation */
  readonly id: string;
  readonly kind: "direct" | "group" | "channel";
  /** Empty for direct conversations */
  readonly title: string;
  readonly about: string;
  /** Of channels: everybody with an account finds and joins it */
  readonly is_public: boolean;
  readonly created_by: string | null;
  /** RFC 3339, UTC, with microseconds: text sorts like time */
  readonly created_at: string;
  /** How long a message may be edited; null for ever */
  readonly edit_window_seconds: number | null;
  readonly member_count: number;
  /** The number of changes: of messages, members and the conversation */
  readonly seq: number;
  /** The number of messages */
  readonly last_number: number;
  /** When the last message was sent; lists are in this order */
  readonly active_at: string;
  readonly last_message: LastMessage | null;
  /** The other person of a direct conversation; null after the end of the account */
  readonly other: User | null;
  readonly me: OwnState;
}

export interface Channel {
  /** A UUID, version 7: ids sort by the time of creation */
  readonly id: string;
  readonly kind: "direct" | "group" | "channel";
  /** Empty for direct conversations */
  readonly title: string;
  readonly about: string;
  readonly member_count: number;
  /** Whether the caller is a member */
  readonly is_member: boolean;
}

/** Public channels */
export type ChannelPage = readonly Channel[];

/** Banned people */
export type BanPage = readonly MemberWithUser[];

export interface InviteCreation {
  /** At most the own role. Default: that of newcomers */
  readonly role?: "admin" | "member" | "reader" | undefined;
  readonly max_uses?: number | undefined;
  readonly expires_in_seconds?: number | undefined;
}

/** The invite */
export interface Invite {
  /** A secret: whoever has it may join */
  readonly code: string;
  /** A UUID, version 7: ids sort by the time of creation */
  readonly conversation_id: string;
  readonly role: "owner" | "admin" | "member" | "reader";
  /** A UUID, version 7: ids sort by the time of creation */
  readonly created_by: string;
  /** RFC 3339, UTC, with microseconds: text sorts like time */
  readonly created_at: string;
  readonly uses: number;
  /** Null for any number */
  readonly max_uses: number | null;
  /** Null for never */
  readonly expires_at: string | null;
  /** Null while it is not revoked */
  readonly revoked_at: string | null;
}

/** The invites */
export type Invites = readonly Invite[];

/** A conversation that the caller may join */
export interface ConversationPreview {
  /** A UUID, version 7: ids sort by the time of creation */
  readonly id: string;
  readonly kind: "direct" | "group" | "channel";
  /** Empty for direct conversations */
  readonly title: string;
  readonly about: string;
  readonly member_count: number;
}

/** What the invite leads to */
export interface InvitePreview {
  readonly conversation: ConversationPreview;
  readonly role: "owner" | "admin" | "member" | "reader";
  /** Whether the caller is a member */
  readonly is_member: boolean;
}

/** The block */
export interface Block {
  /** A UUID, version 7: ids sort by the time of creation */
  readonly user_id: string;
  /** RFC 3339, UTC, with microseconds: text sorts like time */
  readonly created_at: string;
  /** Null after the end of the account */
  readonly user: User | null;
}

/** Blocked people */
export type BlockPage = readonly Block[];

export interface ConversationCreation {
  /** Chosen by the client: a repeated request finds the conversation by it */
  readonly id?: string | undefined;
  readonly kind: "group" | "channel";
  readonly title: string;
  /** May have several lines; empty for none */
  readonly about?: string | undefined;
  /** Of channels: everybody with an account finds and joins it */
  readonly is_public?: boolean | undefined;
  /** The other members, by the ids of their users */
  readonly members?: readonly string[] | undefined;
}

/** Own conversations */
export type ConversationPage = readonly Conversation[];

export interface ConversationPatch {
  readonly title?: string | undefined;
  /** May have several lines; empty for none */
  readonly about?: string | undefined;
  /** Of channels: everybody with an account finds and joins it */
  readonly is_public?: boolean | undefined;
  /** How long a message may be edited; null for ever */
  readonly edit_window_seconds?: number | null | undefined;
}

export interface ConversationSettings {
  /** No notifications until then; null ends it */
  readonly muted_until?: string | null | undefined;
  readonly pinned?: boolean | undefined;
  readonly archived?: boolean | undefined;
}

/** What a client sends on the socket, by `op`. */
export interface ClientFrames {
  /** The first frame: who is speaking. Answered by `welcome`, or by the end of the socket */
  readonly hello: {
    readonly op: "hello";
    /** The token of a session; without, the cookie of the upgrade counts */
    readonly token?: string | undefined;
    /** The last position that the client holds */
    readonly since?: string | undefined;
  };
  /** Follow a conversation: all its changes after `after`, then each one as it happens */
  readonly open: {
    readonly op: "open";
    /** Repeated in the answer: `done` or `refused` */
    readonly ref: string;
    /** The conversation */
    readonly conversation_id: string;
    /** The `seq` that the client has; 0 for everything */
    readonly after: number;
  };
  /** Follow a conversation no more; its `head`s still come */
  readonly close: {
    readonly op: "close";
    /** The conversation */
    readonly conversation_id: string;
  };
  /** Send a message. A repeat with the same `id` and content stores nothing twice */
  readonly send: {
    readonly op: "send";
    /** Repeated in the answer: `done` or `refused` */
    readonly ref: string;
    /** The conversation */
    readonly conversation_id: string;
    /** Chosen by the client, for this message alone */
    readonly id: string;
    /** Markdown as written. The server never interprets or changes it */
    readonly body: string;
    readonly reply_to?: number | undefined;
    readonly thread_of?: number | undefined;
  };
  /** Replace the text of an own message */
  readonly edit: {
    readonly op: "edit";
    /** Repeated in the answer: `done` or `refused` */
    readonly ref: string;
    /** The conversation */
    readonly conversation_id: string;
    /** The number of the message */
    readonly number: number;
    /** Markdown as written. The server never interprets or changes it */
    readonly body: string;
  };
  /** Delete a message */
  readonly delete: {
    readonly op: "delete";
    /** Repeated in the answer: `done` or `refused` */
    readonly ref: string;
    /** The conversation */
    readonly conversation_id: string;
    /** The number of the message */
    readonly number: number;
  };
  /** Add or remove an own reaction */
  readonly react: {
    readonly op: "react";
    /** Repeated in the answer: `done` or `refused` */
    readonly ref: string;
    /** The conversation */
    readonly conversation_id: string;
    /** The number of the message */
    readonly number: number;
    /** Exactly one emoji of Unicode (RGI), percent-encoded */
    readonly emoji: string;
    /** Whether the reaction is there afterwards */
    readonly on: boolean;
  };
  /** All messages up to this one are read */
  readonly read: {
    readonly op: "read";
    /** Repeated in the answer: `done` or `refused` */
    readonly ref: string;
    /** The conversation */
    readonly conversation_id: string;
    readonly number: number;
  };
  /** The caller is typing; ends by itself after six seconds. Not answered */
  readonly typing: {
    readonly op: "typing";
    /** The conversation */
    readonly conversation_id: string;
  };
  /** Follow the presence of these people in place of those before; an empty list ends it */
  readonly look: {
    readonly op: "look";
    readonly user_ids: readonly string[];
  };
  /** Whether the person is away from this client */
  readonly away: {
    readonly op: "away";
    readonly away: boolean;
  };
  /** Answered by `pong` */
  readonly ping: {
    readonly op: "ping";
  };
}

/** What a server sends on the socket, by `op`. */
export interface ServerFrames {
  /** The answer to `hello` */
  readonly welcome: {
    readonly op: "welcome";
    /** The user */
    readonly user: User;
    /** A moment of the database. A REST request with it in `Consistency-Token` reads nothing older; `hello` with it in `since` gets what changed later */
    readonly position: string;
    /** Whether all conversations follow; what is not among them is gone */
    readonly whole: boolean;
    /** Conversations of the caller; with `since`, those that changed */
    readonly heads: readonly Conversation[];
    /** With `since`: conversations that the caller has left */
    readonly left: readonly string[];
    /** Whether `heads` frames do not follow */
    readonly complete: boolean;
    /** A client that receives nothing for twice this time should connect again */
    readonly ping_ms: number;
  };
  /** More of `welcome` */
  readonly heads: {
    readonly op: "heads";
    /** Conversations of the caller; with `since`, those that changed */
    readonly heads: readonly Conversation[];
    /** With `since`: conversations that the caller has left */
    readonly left: readonly string[];
    /** Whether `heads` frames do not follow */
    readonly complete: boolean;
  };
  /** A conversation that the caller has become a member of */
  readonly joined: {
    readonly op: "joined";
    /** A moment of the database. A REST request with it in `Consistency-Token` reads nothing older; `hello` with it in `since` gets what changed later */
    readonly position: string;
    /** A conversation as the caller sees it */
    readonly head: Conversation;
  };
  /** The newest state of a conversation that is not open; states between may be left out */
  readonly head: {
    readonly op: "head";
    /** A moment of the database. A REST request with it in `Consistency-Token` reads nothing older; `hello` with it in `since` gets what changed later */
    readonly position: string;
    /** Empty for direct conversations */
    readonly title: string;
    readonly about: string;
    /** Of channels: everybody with an account finds and joins it */
    readonly is_public: boolean;
    /** How long a message may be edited; null for ever */
    readonly edit_window_seconds: number | null;
    readonly member_count: number;
    /** The number of changes: of messages, members and the conversation */
    readonly seq: number;
    /** The number of messages */
    readonly last_number: number;
    /** When the last message was sent; lists are in this order */
    readonly active_at: string;
    readonly last_message: LastMessage | null;
    /** The conversation */
    readonly conversation_id: string;
  };
  /** What only the caller has in a conversation, after it changed on any device */
  readonly me: {
    readonly op: "me";
    /** A moment of the database. A REST request with it in `Consistency-Token` reads nothing older; `hello` with it in `since` gets what changed later */
    readonly position: string;
    /** The conversation */
    readonly conversation_id: string;
    readonly me: OwnState;
  };
  /** The caller is no longer a member, or the conversation is deleted: nothing more comes */
  readonly left: {
    readonly op: "left";
    /** A moment of the database. A REST request with it in `Consistency-Token` reads nothing older; `hello` with it in `since` gets what changed later */
    readonly position: string;
    /** The conversation */
    readonly conversation_id: string;
  };
  /** States of an open conversation. `from` is the `to` of the frame before, or there is a gap */
  readonly changes: {
    readonly op: "changes";
    /** A moment of the database. A REST request with it in `Consistency-Token` reads nothing older; `hello` with it in `since` gets what changed later */
    readonly position: string;
    /** A UUID, version 7: ids sort by the time of creation */
    readonly conversation_id: string;
    /** The `after` of the request */
    readonly from: number;
    /** The `after` of the next request: every change up to it is in this page or an earlier one */
    readonly to: number;
    /** Whether `to` is the newest change */
    readonly complete: boolean;
    /** The number of messages now */
    readonly last_number: number;
    /** The number of members now */
    readonly member_count: number;
    /** Null when it has not changed */
    readonly conversation: ConversationInfo | null;
    /** Those that have changed, the oldest change first */
    readonly members: readonly Membership[];
    /** Those that have changed, the oldest change first */
    readonly messages: readonly Message[];
  };
  /** The call has succeeded, and its change is on disk */
  readonly done: {
    readonly op: "done";
    /** Repeated in the answer: `done` or `refused` */
    readonly ref: string;
    /** A moment of the database. A REST request with it in `Consistency-Token` reads nothing older; `hello` with it in `since` gets what changed later */
    readonly position?: string | undefined;
    /** Of `send`: the number of the message */
    readonly number?: number | undefined;
    /** The change that this call made, or that a repeated one had made */
    readonly seq?: number | undefined;
    /** RFC 3339, UTC, with microseconds: text sorts like time */
    readonly created_at?: string | undefined;
  };
  /** The call has failed as the same REST request would */
  readonly refused: {
    readonly op: "refused";
    /** Repeated in the answer: `done` or `refused` */
    readonly ref: string;
    /** A refusal */
    readonly problem: Problem;
  };
  /** What another member of an open conversation has read */
  readonly read: {
    readonly op: "read";
    /** The conversation */
    readonly conversation_id: string;
    /** A UUID, version 7: ids sort by the time of creation */
    readonly user_id: string;
    readonly number: number;
  };
  /** Somebody is typing in a conversation; it ends after six seconds or with a message */
  readonly typing: {
    readonly op: "typing";
    /** The conversation */
    readonly conversation_id: string;
    /** A UUID, version 7: ids sort by the time of creation */
    readonly user_id: string;
  };
  /** Of the people of `look`, those whose state is new */
  readonly presence: {
    readonly op: "presence";
    readonly people: readonly ({
      /** A UUID, version 7: ids sort by the time of creation */
      readonly user_id: string;
      readonly state: "online" | "away" | "offline";
      /** Of people who are offline; null when it is not known */
      readonly last_seen_at: string | null;
    })[];
  };
  /** The answer to `ping` */
  readonly pong: {
    readonly op: "pong";
  };
  /** Too many frames; the socket ends if this continues */
  readonly slow_down: {
    readonly op: "slow_down";
    /** Milliseconds to wait */
    readonly after_ms: number;
  };
  /** The last frame before the server closes the socket */
  readonly bye: {
    readonly op: "bye";
    /** The close code */
    readonly code: number;
    /** Milliseconds to wait before the next connection */
    readonly after_ms?: number | undefined;
  };
}

export type ClientFrame = ClientFrames[keyof ClientFrames];
export type ServerFrame = ServerFrames[keyof ServerFrames];

/** Parameters, body and answer of each REST call. */
export interface Operations {
  /** Sign up */
  readonly create_account: {
    readonly body: SignUp;
    readonly answer: SignInAnswer;
  };
  /** List accounts, newest first */
  readonly list_accounts: {
    readonly query?: {
      readonly limit?: number | undefined;
      /** The last `user_id` of the previous page */
      readonly after?: string | undefined;
    };
    readonly answer: MemberPage;
  };
  /** Sign in */
  readonly create_session: {
    readonly body: SignIn;
    readonly answer: SignInAnswer;
  };
  /** List the own sessions, newest first */
  readonly list_sessions: {
    readonly answer: Sessions;
  };
  /** End all other sessions of the account */
  readonly end_other_sessions: {
    readonly answer: undefined;
  };
  /** End a session, the current one included */
  readonly end_session: {
    readonly path: {
      /** A UUID, version 7: ids sort by the time of creation */
      readonly id: string;
    };
    readonly answer: undefined;
  };
  /** Read the own account */
  readonly read_me: {
    readonly answer: Member;
  };
  /** Change the own names, the username, or whether others see what is read */
  readonly update_me: {
    readonly body: MemberPatch;
    readonly answer: Member;
  };
  /** Delete the own account */
  readonly delete_me: {
    readonly body: AccountDeletion;
    readonly answer: undefined;
  };
  /** Change the own password */
  readonly change_own_password: {
    readonly body: PasswordChange;
    readonly answer: PasswordChanged;
  };
  /** Change the role of an account, disable it, or enable it */
  readonly update_account: {
    readonly path: {
      /** A UUID, version 7: ids sort by the time of creation */
      readonly user_id: string;
    };
    readonly body: AccountPatch;
    readonly answer: Member;
  };
  /** Create a user */
  readonly create_user: {
    readonly body: UserNames;
    readonly answer: User;
  };
  /** List users, newest first */
  readonly list_users: {
    readonly query?: {
      readonly limit?: number | undefined;
      /** Rows to skip; the cost grows with the number */
      readonly offset?: number | undefined;
      /** Finds people with an account by the beginning of a name, of the full name, or of the username, in any case, in the order of what begins so. A page can be short and have a next one. Needs a session */
      readonly query?: string | undefined;
      /** The cursor of a `next` link: pages by key, at the same cost at any depth */
      readonly after?: string | undefined;
    };
    readonly answer: UserPage;
  };
  /** Read a user */
  readonly read_user: {
    readonly path: {
      /** A UUID, version 7: ids sort by the time of creation */
      readonly id: string;
    };
    readonly answer: User;
  };
  /** Change both names */
  readonly replace_user: {
    readonly path: {
      /** A UUID, version 7: ids sort by the time of creation */
      readonly id: string;
    };
    readonly body: UserNames;
    readonly answer: User;
  };
  /** Change one name or both */
  readonly update_user: {
    readonly path: {
      /** A UUID, version 7: ids sort by the time of creation */
      readonly id: string;
    };
    readonly body: UserNamesPatch;
    readonly answer: User;
  };
  /** Delete a user */
  readonly delete_user: {
    readonly path: {
      /** A UUID, version 7: ids sort by the time of creation */
      readonly id: string;
    };
    readonly answer: undefined;
  };
  /** List security events, newest first */
  readonly list_audit_events: {
    readonly query?: {
      readonly limit?: number | undefined;
      /** The cursor of a `next` link */
      readonly after?: string | undefined;
      /** Events about this account */
      readonly user_id?: string | undefined;
      readonly kind?: "account_created" | "account_deleted" | "account_disabled" | "account_enabled" | "password_changed" | "role_changed" | "sessions_ended" | "sign_in_failed" | "signed_in" | "username_changed" | undefined;
    };
    readonly answer: AuditPage;
  };
  /** Send a message */
  readonly send_message: {
    readonly path: {
      /** A UUID, version 7: ids sort by the time of creation */
      readonly conversation_id: string;
    };
    readonly body: NewMessage;
    readonly answer: Message;
  };
  /** Read messages */
  readonly list_messages: {
    readonly path: {
      /** A UUID, version 7: ids sort by the time of creation */
      readonly conversation_id: string;
    };
    readonly query?: {
      readonly limit?: number | undefined;
      /** Messages with smaller numbers */
      readonly before?: number | undefined;
      /** Messages with larger numbers */
      readonly after?: number | undefined;
      /** The message with this number, and those before and after it */
      readonly around?: number | undefined;
    };
    readonly answer: Messages;
  };
  /** Send a message once */
  readonly put_message: {
    readonly path: {
      /** A UUID, version 7: ids sort by the time of creation */
      readonly conversation_id: string;
      /** Chosen by the client, for this message alone: a repeated send with it stores nothing twice */
      readonly message: string;
    };
    readonly body: NewMessage;
    readonly answer: Message;
  };
  /** Read a message */
  readonly read_message: {
    readonly path: {
      /** A UUID, version 7: ids sort by the time of creation */
      readonly conversation_id: string;
      /** The number of the message */
      readonly message: number;
    };
    readonly answer: Message;
  };
  /** Edit an own message */
  readonly update_message: {
    readonly path: {
      /** A UUID, version 7: ids sort by the time of creation */
      readonly conversation_id: string;
      /** The number of the message */
      readonly message: number;
    };
    readonly body: MessagePatch;
    readonly answer: Message;
  };
  /** Delete a message */
  readonly delete_message: {
    readonly path: {
      /** A UUID, version 7: ids sort by the time of creation */
      readonly conversation_id: string;
      /** The number of the message */
      readonly message: number;
    };
    readonly answer: undefined;
  };
  /** Read earlier bodies of a message, newest first */
  readonly list_revisions: {
    readonly path: {
      /** A UUID, version 7: ids sort by the time of creation */
      readonly conversation_id: string;
      /** The number of the message */
      readonly message: number;
    };
    readonly query?: {
      readonly limit?: number | undefined;
      /** Those with smaller numbers */
      readonly before?: number | undefined;
    };
    readonly answer: Revisions;
  };
  /** Read the replies of a thread */
  readonly read_thread: {
    readonly path: {
      /** A UUID, version 7: ids sort by the time of creation */
      readonly conversation_id: string;
      /** The number of the message */
      readonly message: number;
    };
    readonly query?: {
      readonly limit?: number | undefined;
      /** Replies with smaller numbers */
      readonly before?: number | undefined;
      /** Replies with larger numbers */
      readonly after?: number | undefined;
    };
    readonly answer: Messages;
  };
  /** Pin a message */
  readonly pin_message: {
    readonly path: {
      /** A UUID, version 7: ids sort by the time of creation */
      readonly conversation_id: string;
      /** The number of the message */
      readonly message: number;
    };
    readonly answer: undefined;
  };
  /** Unpin a message */
  readonly unpin_message: {
    readonly path: {
      /** A UUID, version 7: ids sort by the time of creation */
      readonly conversation_id: string;
      /** The number of the message */
      readonly message: number;
    };
    readonly answer: undefined;
  };
  /** Read the pinned messages, the newest first */
  readonly list_pins: {
    readonly path: {
      /** A UUID, version 7: ids sort by the time of creation */
      readonly conversation_id: string;
    };
    readonly query?: {
      readonly limit?: number | undefined;
      /** Those with smaller numbers */
      readonly before?: number | undefined;
    };
    readonly answer: Messages;
  };
  /** React to a message */
  readonly add_reaction: {
    readonly path: {
      /** A UUID, version 7: ids sort by the time of creation */
      readonly conversation_id: string;
      /** The number of the message */
      readonly message: number;
      /** Exactly one emoji of Unicode (RGI), percent-encoded */
      readonly emoji: string;
    };
    readonly answer: undefined;
  };
  /** Remove an own reaction */
  readonly remove_reaction: {
    readonly path: {
      /** A UUID, version 7: ids sort by the time of creation */
      readonly conversation_id: string;
      /** The number of the message */
      readonly message: number;
      /** Exactly one emoji of Unicode (RGI), percent-encoded */
      readonly emoji: string;
    };
    readonly answer: undefined;
  };
  /** See who has reacted to a message */
  readonly list_reactions: {
    readonly path: {
      /** A UUID, version 7: ids sort by the time of creation */
      readonly conversation_id: string;
      /** The number of the message */
      readonly message: number;
    };
    readonly query?: {
      readonly limit?: number | undefined;
      /** The cursor of a `next` link */
      readonly after?: string | undefined;
      /** Only this one */
      readonly emoji?: string | undefined;
    };
    readonly answer: ReactionPage;
  };
  /** Mark messages as read */
  readonly mark_read: {
    readonly path: {
      /** A UUID, version 7: ids sort by the time of creation */
      readonly conversation_id: string;
    };
    readonly body: ReadMark;
    readonly answer: ReadPosition;
  };
  /** Mark messages as unread */
  readonly mark_unread: {
    readonly path: {
      /** A UUID, version 7: ids sort by the time of creation */
      readonly conversation_id: string;
    };
    readonly body: UnreadMark;
    readonly answer: ReadPosition;
  };
  /** See who has read a message */
  readonly list_readers: {
    readonly path: {
      /** A UUID, version 7: ids sort by the time of creation */
      readonly conversation_id: string;
      /** The number of the message */
      readonly message: number;
    };
    readonly answer: Readers;
  };
  /** Count what is unread */
  readonly sum_unread: {
    readonly answer: Unread;
  };
  /** Read messages that mention the caller, newest first */
  readonly list_mentions: {
    readonly query?: {
      readonly limit?: number | undefined;
      /** The cursor of a `next` link */
      readonly after?: string | undefined;
    };
    readonly answer: MentionPage;
  };
  /** Follow a conversation */
  readonly read_changes: {
    readonly path: {
      /** A UUID, version 7: ids sort by the time of creation */
      readonly conversation_id: string;
    };
    readonly query: {
      /** The `seq` that the client has; 0 for everything */
      readonly after: number;
      /** The number of states; changes with one `seq` are not separated */
      readonly limit?: number | undefined;
    };
    readonly answer: Changes;
  };
  /** Search messages, newest first */
  readonly search_messages: {
    readonly query: {
      /** Words, or beginnings of words: a message has all of them, in any order. Case, accents and punctuation do not count */
      readonly q: string;
      /** Only of this conversation */
      readonly conversation?: string | undefined;
      /** Only messages that this user sent */
      readonly from?: string | undefined;
      /** Only messages sent before this time */
      readonly before?: string | undefined;
      /** Only messages sent at this time or later */
      readonly after?: string | undefined;
      readonly limit?: number | undefined;
      /** The cursor of a `next` link */
      readonly cursor?: string | undefined;
    };
    readonly answer: SearchPage;
  };
  /** List the members */
  readonly list_members: {
    readonly path: {
      /** A UUID, version 7: ids sort by the time of creation */
      readonly conversation_id: string;
    };
    readonly query?: {
      readonly limit?: number | undefined;
      /** The last `user_id` of the previous page */
      readonly after?: string | undefined;
    };
    readonly answer: MembershipPage;
  };
  /** Add people */
  readonly add_members: {
    readonly path: {
      /** A UUID, version 7: ids sort by the time of creation */
      readonly conversation_id: string;
    };
    readonly body: Addition;
    readonly answer: AdditionResults;
  };
  /** Change the role of a member */
  readonly update_member: {
    readonly path: {
      /** A UUID, version 7: ids sort by the time of creation */
      readonly conversation_id: string;
      /** A UUID, version 7: ids sort by the time of creation */
      readonly user_id: string;
    };
    readonly body: RoleChange;
    readonly answer: MemberWithUser;
  };
  /** Remove a member */
  readonly remove_member: {
    readonly path: {
      /** A UUID, version 7: ids sort by the time of creation */
      readonly conversation_id: string;
      /** A UUID, version 7: ids sort by the time of creation */
      readonly user_id: string;
    };
    readonly answer: undefined;
  };
  /** Join a public channel */
  readonly join_channel: {
    readonly path: {
      /** A UUID, version 7: ids sort by the time of creation */
      readonly conversation_id: string;
    };
    readonly answer: Conversation;
  };
  /** Leave a conversation */
  readonly leave_conversation: {
    readonly path: {
      /** A UUID, version 7: ids sort by the time of creation */
      readonly conversation_id: string;
    };
    readonly answer: undefined;
  };
  /** Find public channels */
  readonly list_channels: {
    readonly query?: {
      readonly limit?: number | undefined;
      /** The beginning of the title, in any case */
      readonly query?: string | undefined;
      /** The cursor of a `next` link */
      readonly after?: string | undefined;
    };
    readonly answer: ChannelPage;
  };
  /** List the people who are banned */
  readonly list_bans: {
    readonly path: {
      /** A UUID, version 7: ids sort by the time of creation */
      readonly conversation_id: string;
    };
    readonly query?: {
      readonly limit?: number | undefined;
      /** The last `user_id` of the previous page */
      readonly after?: string | undefined;
    };
    readonly answer: BanPage;
  };
  /** Ban a person */
  readonly ban_member: {
    readonly path: {
      /** A UUID, version 7: ids sort by the time of creation */
      readonly conversation_id: string;
      /** A UUID, version 7: ids sort by the time of creation */
      readonly user_id: string;
    };
    readonly answer: undefined;
  };
  /** End a ban */
  readonly unban_member: {
    readonly path: {
      /** A UUID, version 7: ids sort by the time of creation */
      readonly conversation_id: string;
      /** A UUID, version 7: ids sort by the time of creation */
      readonly user_id: string;
    };
    readonly answer: undefined;
  };
  /** Create an invite */
  readonly create_invite: {
    readonly path: {
      /** A UUID, version 7: ids sort by the time of creation */
      readonly conversation_id: string;
    };
    readonly body: InviteCreation;
    readonly answer: Invite;
  };
  /** List the invites, newest first */
  readonly list_invites: {
    readonly path: {
      /** A UUID, version 7: ids sort by the time of creation */
      readonly conversation_id: string;
    };
    readonly answer: Invites;
  };
  /** Revoke an invite */
  readonly revoke_invite: {
    readonly path: {
      /** A UUID, version 7: ids sort by the time of creation */
      readonly conversation_id: string;
      readonly code: string;
    };
    readonly answer: undefined;
  };
  /** See what an invite leads to */
  readonly read_invite: {
    readonly path: {
      readonly code: string;
    };
    readonly answer: InvitePreview;
  };
  /** Accept an invite */
  readonly accept_invite: {
    readonly path: {
      readonly code: string;
    };
    readonly answer: Conversation;
  };
  /** List the people whom the caller blocks */
  readonly list_blocks: {
    readonly query?: {
      readonly limit?: number | undefined;
      /** The last `user_id` of the previous page */
      readonly after?: string | undefined;
    };
    readonly answer: BlockPage;
  };
  /** Read whether the caller blocks a person */
  readonly read_block: {
    readonly path: {
      /** A UUID, version 7: ids sort by the time of creation */
      readonly user_id: string;
    };
    readonly answer: Block;
  };
  /** Block a person */
  readonly block_person: {
    readonly path: {
      /** A UUID, version 7: ids sort by the time of creation */
      readonly user_id: string;
    };
    readonly answer: undefined;
  };
  /** End a block */
  readonly unblock_person: {
    readonly path: {
      /** A UUID, version 7: ids sort by the time of creation */
      readonly user_id: string;
    };
    readonly answer: undefined;
  };
  /** Open the direct conversation with a person */
  readonly open_direct_conversation: {
    readonly path: {
      /** A UUID, version 7: ids sort by the time of creation */
      readonly user_id: string;
    };
    readonly answer: Conversation;
  };
  /** Create a group or a channel */
  readonly create_conversation: {
    readonly body: ConversationCreation;
    readonly answer: Conversation;
  };
  /** List the own conversations, newest activity first */
  readonly list_conversations: {
    readonly query?: {
      readonly limit?: number | undefined;
      /** The cursor of a `next` link */
      readonly after?: string | undefined;
      /** Only archived ones, or only others */
      readonly archived?: "true" | "false" | undefined;
    };
    readonly answer: ConversationPage;
  };
  /** Read a conversation */
  readonly read_conversation: {
    readonly path: {
      /** A UUID, version 7: ids sort by the time of creation */
      readonly conversation_id: string;
    };
    readonly answer: Conversation;
  };
  /** Change title, description, visibility or the time for edits */
  readonly update_conversation: {
    readonly path: {
      /** A UUID, version 7: ids sort by the time of creation */
      readonly conversation_id: string;
    };
    readonly body: ConversationPatch;
    readonly answer: Conversation;
  };
  /** Delete a group or a channel */
  readonly delete_conversation: {
    readonly path: {
      /** A UUID, version 7: ids sort by the time of creation */
      readonly conversation_id: string;
    };
    readonly answer: undefined;
  };
  /** Mute, pin or archive a conversation */
  readonly configure_conversation: {
    readonly path: {
      /** A UUID, version 7: ids sort by the time of creation */
      readonly conversation_id: string;
    };
    readonly body: ConversationSettings;
    readonly answer: Conversation;
  };
}

/** Method and path of each REST call; paths begin after `/api/v1`. */
export const operations: Readonly<Record<keyof Operations, string>> = {
  create_account: 'POST /accounts',
  list_accounts: 'GET /accounts',
  create_session: 'POST /sessions',
  list_sessions: 'GET /sessions',
  end_other_sessions: 'DELETE /sessions',
  end_session: 'DELETE /sessions/{id}',
  read_me: 'GET /me',
  update_me: 'PATCH /me',
  delete_me: 'DELETE /me',
  change_own_password: 'PUT /me/password',
  update_account: 'PATCH /accounts/{user_id}',
  create_user: 'POST /users',
  list_users: 'GET /users',
  read_user: 'GET /users/{id}',
  replace_user: 'PUT /users/{id}',
  update_user: 'PATCH /users/{id}',
  delete_user: 'DELETE /users/{id}',
  list_audit_events: 'GET /audit',
  send_message: 'POST /conversations/{conversation_id}/messages',
  list_messages: 'GET /conversations/{conversation_id}/messages',
  put_message: 'PUT /conversations/{conversation_id}/messages/{message}',
  read_message: 'GET /conversations/{conversation_id}/messages/{message}',
  update_message: 'PATCH /conversations/{conversation_id}/messages/{message}',
  delete_message: 'DELETE /conversations/{conversation_id}/messages/{message}',
  list_revisions: 'GET /conversations/{conversation_id}/messages/{message}/revisions',
  read_thread: 'GET /conversations/{conversation_id}/messages/{message}/thread',
  pin_message: 'PUT /conversations/{conversation_id}/messages/{message}/pin',
  unpin_message: 'DELETE /conversations/{conversation_id}/messages/{message}/pin',
  list_pins: 'GET /conversations/{conversation_id}/pins',
  add_reaction: 'PUT /conversations/{conversation_id}/messages/{message}/reactions/{emoji}',
  remove_reaction: 'DELETE /conversations/{conversation_id}/messages/{message}/reactions/{emoji}',
  list_reactions: 'GET /conversations/{conversation_id}/messages/{message}/reactions',
  mark_read: 'PUT /conversations/{conversation_id}/read',
  mark_unread: 'PUT /conversations/{conversation_id}/unread',
  list_readers: 'GET /conversations/{conversation_id}/messages/{message}/readers',
  sum_unread: 'GET /unread',
  list_mentions: 'GET /mentions',
  read_changes: 'GET /conversations/{conversation_id}/changes',
  search_messages: 'GET /search',
  list_members: 'GET /conversations/{conversation_id}/members',
  add_members: 'POST /conversations/{conversation_id}/members',
  update_member: 'PATCH /conversations/{conversation_id}/members/{user_id}',
  remove_member: 'DELETE /conversations/{conversation_id}/members/{user_id}',
  join_channel: 'PUT /conversations/{conversation_id}/members/me',
  leave_conversation: 'DELETE /conversations/{conversation_id}/members/me',
  list_channels: 'GET /channels',
  list_bans: 'GET /conversations/{conversation_id}/bans',
  ban_member: 'PUT /conversations/{conversation_id}/bans/{user_id}',
  unban_member: 'DELETE /conversations/{conversation_id}/bans/{user_id}',
  create_invite: 'POST /conversations/{conversation_id}/invites',
  list_invites: 'GET /conversations/{conversation_id}/invites',
  revoke_invite: 'DELETE /conversations/{conversation_id}/invites/{code}',
  read_invite: 'GET /invites/{code}',
  accept_invite: 'POST /invites/{code}/accept',
  list_blocks: 'GET /me/blocks',
  read_block: 'GET /me/blocks/{user_id}',
  block_person: 'PUT /me/blocks/{user_id}',
  unblock_person: 'DELETE /me/blocks/{user_id}',
  open_direct_conversation: 'PUT /conversations/direct/{user_id}',
  create_conversation: 'POST /conversations',
  list_conversations: 'GET /conversations',
  read_conversation: 'GET /conversations/{conversation_id}',
  update_conversation: 'PATCH /conversations/{conversation_id}',
  delete_conversation: 'DELETE /conversations/{conversation_id}',
  configure_conversation: 'PUT /conversations/{conversation_id}/settings',
};
