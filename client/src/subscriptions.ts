type Listener<Event> = (event: Event) => void;

/** Listeners by topic. One that throws stops neither the others nor its caller: its error is reported as uncaught. */
export class Subscriptions<Events extends object> {
  readonly #listeners = new Map<keyof Events, Set<Listener<never>>>();

  /** Returns the function that ends the subscription. */
  add<Topic extends keyof Events>(topic: Topic, listener: Listener<Events[Topic]>): () => void {
    const own: Listener<Events[Topic]> = (event) => listener(event);
    const all = this.#listeners.get(topic) ?? new Set();
    this.#listeners.set(topic, all.add(own));
    return () => {
      if (all.delete(own) && all.size === 0 && this.#listeners.get(topic) === all) this.#listeners.delete(topic);
    };
  }

  emit<Topic extends keyof Events>(topic: Topic, event: Events[Topic]): void {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- `add` keeps each listener under its topic.
    const all = this.#listeners.get(topic) as ReadonlySet<Listener<Events[Topic]>> | undefined;
    if (all === undefined) return;
    for (const listener of Array.from(all))
      try {
        listener(event);
      } catch (error) {
        queueMicrotask(() => {
          throw error;
        });
      }
  }
}
