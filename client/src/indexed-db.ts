import type { ClientStorage } from './storage.ts';

/** What this client needs of IndexedDB. */
interface Request {
  readonly result: unknown;
  readonly error: unknown;
  addEventListener(type: 'success' | 'error' | 'upgradeneeded', listener: () => void): void;
}

interface ObjectStore {
  get(key: string): Request;
  getAll(range: unknown): Request;
  put(value: unknown, key: string): Request;
  delete(key: string): Request;
}

interface Transaction {
  readonly error: unknown;
  addEventListener(type: 'complete' | 'abort', listener: () => void): void;
  objectStore(name: string): ObjectStore;
}

interface Database {
  addEventListener(type: 'versionchange' | 'close', listener: () => void): void;
  close(): void;
  createObjectStore(name: string): unknown;
  transaction(name: string, mode: 'readonly' | 'readwrite'): Transaction;
}

/** The parts of a browser's global object that `IndexedDbStorage` uses; tests bring their own. */
export interface IndexedDbScope {
  readonly indexedDB: { open(name: string, version: number): Request };
  readonly IDBKeyRange: { bound(lower: string, upper: string): unknown };
  readonly navigator?: {
    readonly locks?: { request(name: string, task: () => Promise<void>): Promise<unknown> } | undefined;
  };
}

const storeName = 'values';

/** A database of the browser. Its tabs share it: with Web Locks, one tab at a time sends the messages of a conversation. */
export class IndexedDbStorage implements ClientStorage {
  readonly #name: string;
  readonly #scope: IndexedDbScope;
  #database: Promise<Database> | undefined;

  /** `name` should contain the account, so that each has its own. */
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- Browsers have all of it.
  constructor(name: string, scope = globalThis as unknown as IndexedDbScope) {
    this.#name = name;
    this.#scope = scope;
  }

  async get(key: string): Promise<unknown> {
    return await this.#run('readonly', (store) => store.get(key));
  }

  async list(prefix: string): Promise<readonly unknown[]> {
    const range = this.#scope.IDBKeyRange.bound(prefix, `${prefix}\uFFFF`);
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The result of `getAll`.
    return (await this.#run('readonly', (store) => store.getAll(range))) as readonly unknown[];
  }

  async put(key: string, value: object): Promise<void> {
    await this.#run('readwrite', (store) => store.put(value, key));
  }

  async delete(key: string): Promise<void> {
    await this.#run('readwrite', (store) => store.delete(key));
  }

  async exclusive<Result>(name: string, task: () => Promise<Result>): Promise<Result> {
    const { locks } = this.#scope.navigator ?? {};
    if (locks === undefined) return await task();
    const results: Result[] = [];
    await locks.request(`${this.#name}/${name}`, async () => {
      results.push(await task());
    });
    const [result] = results;
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The lock's promise rejects unless the task has resolved.
    return result as Result;
  }

  async close(): Promise<void> {
    (await this.#database)?.close();
    this.#database = undefined;
  }

  /** Resolves when the transaction is complete. */
  async #run(mode: 'readonly' | 'readwrite', task: (store: ObjectStore) => Request): Promise<unknown> {
    const database = await (this.#database ??= this.#open());
    return await new Promise((resolve, reject) => {
      const transaction = database.transaction(storeName, mode);
      const request = task(transaction.objectStore(storeName));
      transaction.addEventListener('complete', () => resolve(request.result));
      transaction.addEventListener('abort', () => reject(toError(transaction.error)));
    });
  }

  async #open(): Promise<Database> {
    return await new Promise((resolve, reject) => {
      const request = this.#scope.indexedDB.open(this.#name, 1);
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The result of `open`.
      const database = (): Database => request.result as Database;
      const forget = (): void => {
        this.#database = undefined;
      };
      request.addEventListener('upgradeneeded', () => database().createObjectStore(storeName));
      request.addEventListener('error', () => {
        forget();
        reject(toError(request.error));
      });
      request.addEventListener('success', () => {
        database().addEventListener('close', forget);
        database().addEventListener('versionchange', () => {
          database().close();
          forget();
        });
        resolve(database());
      });
    });
  }
}

function toError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
