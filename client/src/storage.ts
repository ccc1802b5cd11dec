/** Where the outbox survives a reload. Values are plain data. One storage serves one account at a time. */
export interface ClientStorage {
  get(key: string): Promise<unknown>;
  /** All values whose keys begin so, in the order of the keys. */
  list(prefix: string): Promise<readonly unknown[]>;
  put(key: string, value: object): Promise<void>;
  delete(key: string): Promise<void>;
  /** Runs a task while no other client of the same storage runs one of this name. Absent where only one client uses the storage. */
  exclusive?<Result>(name: string, task: () => Promise<Result>): Promise<Result>;
}

/** Lives as long as the process. */
export class MemoryStorage implements ClientStorage {
  readonly #values = new Map<string, object>();

  async get(key: string): Promise<unknown> {
    return this.#values.get(key);
  }

  async list(prefix: string): Promise<readonly unknown[]> {
    const keys = [...this.#values.keys()].filter((key) => key.startsWith(prefix));
    return keys.toSorted().map((key) => this.#values.get(key));
  }

  async put(key: string, value: object): Promise<void> {
    this.#values.set(key, value);
  }

  async delete(key: string): Promise<void> {
    this.#values.delete(key);
  }
}
