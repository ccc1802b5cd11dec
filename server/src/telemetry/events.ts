/** What an event is about. `/ops` shows it as the event's kind. */
type EventKind =
  | 'access'
  | 'capacity'
  | 'configuration'
  | 'connections'
  | 'database'
  | 'failover'
  | 'requests'
  | 'standby'
  | 'storage'
  | 'worker';

export type Level = 'info' | 'warn' | 'bad';

export interface Occurrence {
  readonly kind: EventKind;
  readonly level: Level;
  /** One sentence for the operator, without a full stop. Never a value that a user typed, and no secret. */
  readonly text: string;
}

/** Something that holds for a while, such as a server that is away. */
export interface Condition extends Occurrence {
  /** The same as long as it is the same condition, whatever its numbers are. */
  readonly key: string;
  /** How bad it is. The event keeps the text of the largest. */
  readonly size?: number | undefined;
}

/** Plain data. `endedMs` is undefined while a condition holds, and equals `atMs` for what happened at one moment. */
export interface ServerEvent extends Occurrence {
  readonly id: number;
  /** Milliseconds since 1970. */
  readonly atMs: number;
  readonly endedMs: number | undefined;
}

/** Takes what happened. Given to every service of the supervisor that knows something worth an event. */
export type RecordEvent = (occurrence: Occurrence) => void;

interface Kept extends ServerEvent {
  /** Of a condition. */
  readonly key?: string | undefined;
  readonly size?: number | undefined;
  /** The revision of the list at the last change of this event. */
  readonly revision: number;
}

const mostKept = 200;
const longestText = 300;
/** A condition that returns this soon after its end continues its event, so that one that flaps does not fill the list. */
const sameAgainMs = 30_000;

/** The newest 200 events of the server, in the memory of the supervisor: about 100 KB at most. */
export class Events {
  readonly #wallMs: () => number;
  #kept: readonly Kept[] = [];
  #ids = 0;
  #revision = 0;

  /** @param wallMs Milliseconds since 1970. */
  constructor(wallMs: () => number) {
    this.#wallMs = wallMs;
  }

  /** Grows with each change. */
  get revision(): number {
    return this.#revision;
  }

  /** Adds something that happened at this moment. */
  readonly record: RecordEvent = (occurrence) => {
    const atMs = this.#wallMs();
    this.#add(occurrence, atMs, atMs);
  };

  /** Takes all conditions that hold now: new ones begin an event, and those that are gone end theirs. */
  follow(conditions: readonly Condition[]): void {
    const now = this.#wallMs();
    const holding = new Set(conditions.map(({ key }) => key));
    for (const event of this.#kept)
      if (event.key !== undefined && event.endedMs === undefined && !holding.has(event.key))
        this.#change(event, { endedMs: now });
    for (const condition of conditions) this.#hold(condition, now);
  }

  /** Events that changed after this revision; 0 gives all. Oldest first. */
  since(revision: number): readonly ServerEvent[] {
    return this.#kept
      .filter((event) => event.revision > revision)
      .map(({ id, atMs, endedMs, kind, level, text }) => ({ id, atMs, endedMs, kind, level, text }));
  }

  #hold(condition: Condition, now: number): void {
    const { key, level, text, size = 0 } = condition;
    const known = this.#kept.findLast((event) => event.key === key);
    if (known === undefined || now - (known.endedMs ?? now) > sameAgainMs) {
      this.#add(condition, now, undefined);
      return;
    }
    const isWorse = size > (known.size ?? 0);
    if (known.endedMs !== undefined || isWorse)
      this.#change(known, { endedMs: undefined, ...(isWorse ? { size, level, text: bounded(text) } : {}) });
  }

  #add(event: Occurrence & Partial<Condition>, atMs: number, endedMs: number | undefined): void {
    const { kind, level, text, key, size } = event;
    this.#ids += 1;
    this.#revision += 1;
    const added = { id: this.#ids, atMs, endedMs, kind, level, text: bounded(text), key, size };
    this.#kept = [...this.#kept, { ...added, revision: this.#revision }].slice(-mostKept);
  }

  #change({ id }: Kept, change: Partial<Kept>): void {
    this.#revision += 1;
    const revision = this.#revision;
    this.#kept = this.#kept.map((event) => (event.id === id ? { ...event, ...change, revision } : event));
  }
}

function bounded(text: string): string {
  return text.length <= longestText ? text : `${text.slice(0, longestText - 1)}…`;
}
