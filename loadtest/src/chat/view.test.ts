/** The checks of a chat, on histories of an honest server, with at most one fault in them. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import type { Changes } from '@messenger/protocol/changes';
import type { Conversation } from '@messenger/protocol/conversations';
import fc from 'fast-check';

import { Room } from '../../test/chat-room.ts';
import { Ledger, type Sent } from './ledger.ts';
import { View } from './view.ts';
import { Violations, type ViolationKind } from './violations.ts';

const people = ['ada', 'grace', 'alan'];

type Step = readonly [what: 'send' | 'read' | 'open' | 'close' | 'cut' | 'return', person: number];

/** An `open` whose changes never come: a failed request, no violation. */
const timeout = 'timeout';

/** What is sent to a device, on its way through a faulty server. */
interface Wire {
  head(room: Room, person: number): Pick<Room, 'seq' | 'lastNumber'>;
  changes(changes: Changes, person: number): readonly Changes[];
  me(me: Conversation['me'], person: number): Conversation['me'];
  listed(conversation: Conversation, person: number): Conversation;
  acknowledged(number: number): number;
}

const honest: Wire = {
  head: (room) => room,
  changes: (changes) => [changes],
  me: (me) => me,
  listed: (conversation) => conversation,
  acknowledged: (number) => number,
};

/** One device per person, in one conversation. */
class Chat {
  readonly violations = new Violations();
  readonly #room = new Room(people);
  readonly #ledger = new Ledger('1', 'conversation 1', this.violations);
  readonly #views = people.map((name) => new View(this.#ledger, name));
  readonly #online = people.map(() => true);
  readonly #has = people.map(() => this.#room.seq);
  readonly #wire: Wire;

  constructor(wire: Wire) {
    this.#wire = wire;
    for (const person of people.keys()) this.#list(person);
  }

  play(steps: readonly Step[]): void {
    for (const [what, person] of steps) if (this.#online[person] === (what !== 'return')) this[what](person);
  }

  /** Everybody comes back; then all is quiet, and everybody loads all. */
  end(): string[] {
    const isStuck = this.#views.some((view) => view.isOpen && !view.isLive);
    for (const person of people.keys()) if (this.#online[person] === false) this.return(person);
    for (const [person, view] of this.#views.entries()) {
      view.checkAtEnd();
      const second = new View(this.#ledger, 'second device');
      second.onListed(this.#conversation(person));
      second.checkRead(view.expectedRead ?? 0);
      view.close();
      view.rewind();
      this.#load(person, view.open());
      view.checkHistory();
    }
    const kinds = this.violations.list().map(({ kind }) => kind);
    return isStuck ? [...kinds, timeout] : kinds;
  }

  send(person: number): void {
    const id = crypto.randomUUID();
    const senderId = people[person] ?? '';
    const sent: Sent = { id, senderId, body: `from ${senderId}`, dueMs: 0, outcome: 'uncertain' };
    this.#ledger.send(sent);
    const before = this.#room.seq;
    const { number } = this.#room.send(senderId, id, sent.body);
    for (const [other, view] of this.#views.entries())
      if (this.#online[other] === true && view.isOpen) this.#tell(other, this.#room.changes(before));
      else if (this.#online[other] === true) this.#tellHead(other);
    const acknowledged = this.#wire.acknowledged(number);
    this.#ledger.acknowledge(sent, acknowledged);
    this.#views[person]?.acknowledge(number);
  }

  read(person: number): void {
    const [view, name = ''] = [this.#views[person], people[person]];
    if (view === undefined) return;
    this.#room.read(name, view.lastNumber);
    view.acknowledge(view.lastNumber);
    view.onOwnState(this.#wire.me(this.#room.me(name), person));
  }

  open(person: number): void {
    const view = this.#views[person];
    if (view?.isOpen === false) this.#load(person, view.open());
  }

  /** Only when nothing is on its way: later, nobody could tell that it never came. */
  close(person: number): void {
    const view = this.#views[person];
    if (view?.isLive === true && view.lastNumber === this.#room.lastNumber) view.close();
  }

  cut(person: number): void {
    this.close(person);
    this.#online[person] = this.#views[person]?.isOpen === true;
  }

  return(person: number): void {
    this.#online[person] = true;
    this.#list(person);
  }

  #list(person: number): void {
    this.#views[person]?.onListed(this.#conversation(person));
  }

  #conversation(person: number): Conversation {
    return this.#wire.listed(this.#room.conversation(people[person] ?? ''), person);
  }

  #load(person: number, after: number): void {
    this.#has[person] = after;
    for (let complete = false; !complete;) {
      const changes = this.#room.changes(this.#has[person]);
      this.#tell(person, changes);
      complete = changes.complete;
    }
  }

  #tell(person: number, changes: Changes): void {
    this.#has[person] = changes.to;
    for (const one of this.#wire.changes(changes, person)) this.#views[person]?.onChanges(one);
  }

  #tellHead(person: number): void {
    const { seq, lastNumber: last_number } = this.#wire.head(this.#room, person);
    this.#views[person]?.onHead({ seq, last_number });
  }
}

/** Applies `fault` to the first frame of Ada from number `from` on that it can be applied to. */
function once<Value>(
  from: number,
  fault: (value: Value) => Value | undefined,
): (value: Value, person?: number) => Value {
  let [count, isDone] = [0, false];
  return (value, person = 0) => {
    if (isDone || person !== 0 || (count += 1) <= from) return value;
    const faulty = fault(value);
    isDone = faulty !== undefined;
    return faulty ?? value;
  };
}

const inFrames = (from: number, fault: (changes: Changes) => readonly Changes[] | undefined): Wire => {
  const change = once<readonly Changes[]>(from, ([changes]) => changes && fault(changes));
  return { ...honest, changes: (changes, person) => change([changes], person) };
};

const inMessages = (
  from: number,
  fault: (messages: Changes['messages'], changes: Changes) => Changes['messages'],
): Wire =>
  inFrames(from, (changes) =>
    changes.messages.length === 0 ? undefined : [{ ...changes, messages: fault(changes.messages, changes) }],
  );

/** Each makes a server that breaks one promise once, in a frame from number `from` on, and is found as one of the kinds. */
const faults: Readonly<Record<string, readonly [(from: number) => Wire, ...(ViolationKind | typeof timeout)[]]>> = {
  'a frame of changes is not sent': [
    (from) => inFrames(from, ({ messages }) => (messages.length === 0 ? undefined : [])),
    'gap in changes',
    'undelivered message',
    'lost message',
    timeout,
  ],
  'a frame is sent twice': [
    (from) => inFrames(from, (changes) => (changes.messages.length === 0 ? undefined : [changes, changes])),
    'state shown twice',
  ],
  'a frame repeats messages of the one before': [
    (from) =>
      inFrames(from, (changes) =>
        changes.messages.length === 0 ? undefined : [changes, { ...changes, from: changes.to }],
      ),
    'state shown twice',
  ],
  'a message is left out': [(from) => inMessages(from, (messages) => messages.slice(1)), 'hole in numbers'],
  'the last messages are missing, and their numbers with them': [
    (from) => {
      let isLying = false;
      return {
        ...honest,
        changes: (changes, person) => {
          const [first] = changes.messages;
          isLying ||= from < changes.from && first !== undefined;
          if (person !== 0 || !isLying) return [changes];
          const messages = changes.messages.filter(({ seq }) => seq <= from + 1);
          return [{ ...changes, messages, last_number: messages.at(-1)?.number ?? 0 }];
        },
      };
    },
    'lost message',
    'hole in numbers',
    'undelivered message',
  ],
  'two messages change places': [
    (from) =>
      inMessages(from, (messages) =>
        messages.map((message) => ({ ...message, number: message.number === 1 ? 2 : message.number })),
      ),
    'message stored twice',
    'different order',
  ],
  'another text': [(from) => inMessages(from, (all) => all.map((one) => ({ ...one, body: '' }))), 'wrong message'],
  'another sender': [
    (from) => inMessages(from, (all) => all.map((one) => ({ ...one, sender_id: 'eve' }))),
    'wrong message',
  ],
  'a message that nobody sent': [
    (from) => inMessages(from, (all) => all.map((one) => ({ ...one, id: 'unknown' }))),
    'unknown message',
  ],
  'an older list': [
    (from) => {
      let past: Pick<Room, 'seq' | 'lastNumber'> | undefined;
      const older = once<Pick<Room, 'seq' | 'lastNumber'>>(from, ({ seq, lastNumber }) => {
        const known = past;
        past = { seq: seq - 1, lastNumber: lastNumber - 1 };
        return known === undefined ? undefined : { seq: known.seq - 1, lastNumber: known.lastNumber - 1 };
      });
      return { ...honest, head: older };
    },
    'step back',
  ],
  'an unread message too many': [
    (from) => ({ ...honest, me: once(from, (me) => ({ ...me, unread: me.unread + 1 })) }),
    'wrong unread',
  ],
  'own states that are older': [
    () => {
      const read = people.map(() => false);
      return {
        ...honest,
        me: (me, person) => {
          const wasRead = read[person] === true;
          read[person] = wasRead || me.read_number > 0;
          return wasRead ? { ...me, read_number: 0, unread: 0 } : me;
        },
      };
    },
    'step back',
  ],
  'a list with an unread message too few': [
    (from) => ({
      ...honest,
      listed: once<Conversation>(from, (one) =>
        one.me.unread === 0 ? undefined : { ...one, me: { ...one.me, unread: one.me.unread - 1 } },
      ),
    }),
    'wrong unread',
  ],
  'lists in which nothing is read': [
    () => ({
      ...honest,
      listed: (one) => ({ ...one, me: { ...one.me, read_number: 0, unread: one.last_number } }),
    }),
    'wrong unread',
    'step back',
  ],
  'changes that end before they begin': [
    (from) => inFrames(from, (changes) => (changes.messages.length === 0 ? undefined : [{ ...changes, to: 0 }])),
    'step back',
  ],
  'a change after the end of its frame': [
    (from) =>
      inFrames(from, (changes) => (changes.messages.length === 0 ? undefined : [{ ...changes, to: changes.to - 1 }])),
    'gap in changes',
  ],
  'an acknowledgement with the number of another message': [
    (from) => ({ ...honest, acknowledged: once(from, (number) => number + 1) }),
    'message stored twice',
    'different order',
  ],
};

const whats = ['send', 'send', 'send', 'read', 'read', 'open', 'close', 'cut', 'return'] as const;
const steps = fc.array(fc.tuple(fc.constantFrom(...whats), fc.nat(people.length - 1)), {
  minLength: 10,
  maxLength: 40,
});

describe('the checks of a chat', () => {
  test('an honest server breaks no promise, whatever happens', () => {
    fc.assert(
      fc.property(steps, (history) => {
        const chat = new Chat(honest);
        chat.play(history);
        assert.deepEqual(chat.end(), []);
      }),
      { numRuns: 300 },
    );
  });

  for (const [name, [createWire, ...kinds]] of Object.entries(faults))
    test(`${name}: found as ${kinds.join(' or ')}`, () => {
      let applied = 0;
      fc.assert(
        fc.property(steps, fc.nat(2), (history, from) => {
          const wire = createWire(from);
          const faulty = new Set<string>();
          const watch = <Value>(told: Value, truth: Value): Value => {
            if (told !== truth) faulty.add(name);
            return told;
          };
          const watchText = <Value>(told: Value, truth: Value): Value => {
            watch(JSON.stringify(told), JSON.stringify(truth));
            return told;
          };
          const watched: Wire = {
            head: (room, person) => watch(wire.head(room, person), room),
            changes: (changes, person) => watchText(wire.changes(changes, person), [changes]),
            me: (me, person) => watchText(wire.me(me, person), me),
            listed: (one, person) => watchText(wire.listed(one, person), one),
            acknowledged: (number) => watch(wire.acknowledged(number), number),
          };
          const chat = new Chat(watched);
          chat.play(history);
          const found = chat.end();
          applied += faulty.size;
          const isNamed = kinds.some((kind) => found.includes(kind));
          assert.equal(isNamed, faulty.size > 0, `${found.join(', ')} found`);
        }),
        { numRuns: 300 },
      );
      assert(applied > 50, `the fault was applied in ${applied} histories`);
    });
});
