import type { Changes, Conversation, Membership, Message, NewMessage } from '../src/api.ts';

/** A moment of the model's database: a token like those of the server. */
export function positionOf(timeline: number, place: number): string {
  const bytes = Buffer.alloc(15);
  bytes.writeUInt32BE(timeline, 0);
  bytes.writeBigUInt64BE(BigInt(place), 4);
  return bytes.toString('base64url');
}

/** With the fields that the client needs. */
function asMessage(
  fields: Omit<Partial<Message>, 'body'> &
    Pick<Message, 'number' | 'seq' | 'created_at'> & { readonly body: string | undefined },
): Message {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The client ignores the others.
  return fields as Message;
}

const timeOf = (place: number): string => new Date(1_800_000_000_000 + place).toISOString();

/** A conversation as the database has it: rows with the change that made each. */
export class ModelConversation {
  readonly id: string;
  title = 'first';
  seq = 0;
  titleSeq = 0;
  /** The moment of the last change, and of the person's own row. */
  place = 0;
  ownPlace = 0;
  read = 0;
  activeAt = timeOf(0);
  messages: Message[] = [];
  members = new Map<string, Membership>();

  constructor(id: string) {
    this.id = id;
  }

  /** Undefined for a repeat. */
  insert(place: number, sender: string, id: string, { body }: NewMessage): Message {
    const number = this.messages.length + 1;
    this.#change(place);
    const message = asMessage({
      conversation_id: this.id,
      number,
      id,
      seq: this.seq,
      sender_id: sender,
      body,
      created_at: timeOf(place),
    });
    this.messages.push(message);
    this.activeAt = message.created_at;
    return message;
  }

  /** Without a body, it is deleted. */
  edit(place: number, number: number, body: string | undefined): void {
    const before = this.messages[number - 1];
    if (typeof before?.body !== 'string') return;
    this.#change(place);
    const at = timeOf(place);
    const change = body === undefined ? { deleted_at: at } : { edited_at: at };
    this.messages[number - 1] = asMessage({ ...before, ...change, body, seq: this.seq });
  }

  rename(place: number, title: string): void {
    this.#change(place);
    this.title = title;
    this.titleSeq = this.seq;
  }

  setMember(place: number, userId: string, isPresent: boolean): void {
    this.#change(place);
    const [at, left_at] = [timeOf(0), isPresent ? null : timeOf(place)];
    this.members.set(userId, { user_id: userId, role: 'member', joined_at: at, left_at, banned: false, seq: this.seq });
  }

  get info(): NonNullable<Changes['conversation']> {
    const { id, title } = this;
    const fixed = { about: '', is_public: false, created_by: null, created_at: timeOf(0), edit_window_seconds: null };
    return { id, kind: 'group', title, ...fixed };
  }

  get memberCount(): number {
    return 1 + [...this.members.values()].filter(({ left_at }) => left_at === null).length;
  }

  get head(): Conversation {
    const last = this.messages.at(-1);
    const last_message = last && {
      number: last.number,
      sender_id: last.sender_id,
      preview: last.body ?? null,
      created_at: last.created_at,
    };
    return {
      ...this.info,
      member_count: this.memberCount,
      seq: this.seq,
      last_number: this.messages.length,
      active_at: this.activeAt,
      last_message: last_message ?? null,
      other: null,
      me: this.own,
    };
  }

  get own(): Conversation['me'] {
    const fixed = { role: 'member', joined_at: timeOf(0), muted_until: null, pinned: false, archived: false } as const;
    return { ...fixed, read_number: this.read, unread: this.messages.length - this.read, unread_mentions: 0 };
  }

  copy(): ModelConversation {
    return Object.assign(new ModelConversation(this.id), this, {
      messages: [...this.messages],
      members: new Map(this.members),
    });
  }

  /** At most `limit` states; changes with one `seq` are never separated, as each change here makes one state. */
  changes(after: number, limit: number): Changes {
    const states = [
      ...this.messages.map((message) => ({ seq: message.seq, message })),
      ...[...this.members.values()].map((member) => ({ seq: member.seq, member })),
      ...(this.titleSeq > after ? [{ seq: this.titleSeq, info: this.info }] : []),
    ]
      .filter(({ seq }) => seq > after)
      .toSorted((a, b) => a.seq - b.seq);
    const page = states.slice(0, limit);
    const complete = page.length === states.length;
    return {
      conversation_id: this.id,
      from: after,
      to: complete ? this.seq : (page.at(-1)?.seq ?? after),
      complete,
      last_number: this.messages.length,
      member_count: this.memberCount,
      conversation: page.flatMap((one) => ('info' in one ? [one.info] : []))[0] ?? null,
      members: page.flatMap((one) => ('member' in one ? [one.member] : [])),
      messages: page.flatMap((one) => ('message' in one ? [one.message] : [])),
    };
  }

  #change(place: number): void {
    this.seq += 1;
    this.place = place;
  }
}
