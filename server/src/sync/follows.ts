import { latest, type Position } from '../db/position.ts';
import type { FeedLink } from '../feed/feed.ts';

interface Followed {
  count: number;
  /** Until the feed has answered. */
  ready: Promise<Position | undefined> | undefined;
}

/** What the sockets of this worker follow together: a key is followed while one of them does. */
export class Follows {
  readonly #link: Pick<FeedLink, 'follow' | 'unfollow'>;
  readonly #delivered: () => Position | undefined;
  readonly #keys = new Map<string, Followed>();

  /** `delivered` is the position of the last commit that this worker got. */
  constructor(link: Pick<FeedLink, 'follow' | 'unfollow'>, delivered: () => Position | undefined) {
    this.#link = link;
    this.#delivered = delivered;
  }

  /**
   * Resolves when later commits with these keys are delivered: read then, at the resulting position or later. Undefined without one: the feed
   * is not connected, and a gap follows.
   */
  async add(keys: readonly string[]): Promise<Position | undefined> {
    const fresh = keys.filter((key) => this.#count(key));
    if (fresh.length > 0) this.#follow(fresh);
    const ready = new Set(keys.flatMap((key) => this.#keys.get(key)?.ready ?? []));
    const positions = await Promise.all(ready);
    return [...positions, this.#delivered()].reduce(
      (last, position) => (position === undefined ? last : latest(last, position)),
      undefined,
    );
  }

  remove(keys: readonly string[]): void {
    const unused = keys.filter((key) => {
      const followed = this.#keys.get(key);
      if (followed === undefined) return false;
      followed.count -= 1;
      return followed.count === 0 && this.#keys.delete(key);
    });
    if (unused.length > 0) this.#link.unfollow(...unused);
  }

  /** Returns whether it is new. */
  #count(key: string): boolean {
    const followed = this.#keys.get(key);
    if (followed === undefined) this.#keys.set(key, { count: 1, ready: undefined });
    else followed.count += 1;
    return followed === undefined;
  }

  #follow(keys: readonly string[]): void {
    const ready = this.#link.follow(...keys);
    const followed = keys.flatMap((key) => this.#keys.get(key) ?? []);
    for (const one of followed) one.ready = ready;
    void ready.then(() => {
      for (const one of followed) one.ready = undefined;
    });
  }
}
