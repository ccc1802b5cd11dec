/** The kind of an event, as `/ops` shows it. */
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
  /** One sentence for the operator, without a full stop, user data or secrets. */
  readonly text: string;
}

/** A problem with a duration, such as an unavailable server. */
export interface Condition extends Occurrence {
  /** Identifies the condition, whatever its numbers are. */
  readonly key: string;
  /** Severity. The event keeps the text with the highest. */
  readonly size?: number | undefined;
}

/** Plain data. `endedMs` is undefined while a condition holds, and equals `atMs` for an event without duration. */
export interface ServerEvent extends Occurrence {
  readonly id: number;
  /** Milliseconds since 1970. */
  readonly atMs: number;
  readonly endedMs: number | undefined;
}

/** Records an event. Passed to the services of the supervisor. */
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
/** A condition that returns within this time continues its event, so that flapping does not fill the list. */
const sameAgainMs = 30_000;

/** The newest 200 events, in the supervisor's memory: at most about 100 KB. */
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

  /** Adds an event without duration. */
  readonly record: RecordEvent = (occurrence) => {
    const atMs = this.#wallMs();
    this.#add(occurrence, atMs, atMs);
  };

  /** Takes all conditions that hold now: a new one begins an event, and a missing one ends its event. */
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
