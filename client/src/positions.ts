/**
 * Positions are moments of the database, as servers send them. They are opaque but for one thing: the first 16 characters are the timeline
 * and the place in the log of that timeline, so that a client can tell which of two it saw later.
 */
interface Place {
  readonly timeline: string;
  /** Bytes of a big-endian number: text that sorts like it. */
  readonly log: string;
}

const timelineBytes = 4;

function placeOf(position: string): Place | undefined {
  const start = /^[\w-]{16}/u.exec(position)?.[0];
  if (start === undefined) return undefined;
  const bytes = atob(start.replaceAll('-', '+').replaceAll('_', '/'));
  return { timeline: bytes.slice(0, timelineBytes), log: bytes.slice(timelineBytes) };
}

/** Whether a moment is before another one. Never, when they are on different timelines. */
export function isBefore(one: string, other: string): boolean {
  const [first, second] = [placeOf(one), placeOf(other)];
  return first !== undefined && first.timeline === second?.timeline && first.log < second.log;
}

/** After a failover or a restored backup, what was seen before may be gone. */
export function isOtherTimeline(one: string, other: string): boolean {
  return placeOf(one)?.timeline !== placeOf(other)?.timeline;
}

/** The newest position that this client has seen, on the socket and by REST. */
export class Seen {
  #newest: string | undefined;
  onChange: () => void = () => undefined;

  get newest(): string | undefined {
    return this.#newest;
  }

  add(position: string | null | undefined): void {
    if (typeof position !== 'string' || position === this.#newest) return;
    if (this.#newest !== undefined && isBefore(position, this.#newest)) return;
    this.#newest = position;
    this.onChange();
  }
}
