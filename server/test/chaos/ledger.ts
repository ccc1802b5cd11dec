export interface Row {
  readonly id: string;
  readonly first_name: string;
  readonly last_name: string;
}

/** The state of one user that a client wrote, or began to write. */
interface Entry {
  readonly key: string;
  /** Undefined until the create is acknowledged. */
  id: string | undefined;
  /** Numbers of acknowledged and of started renames; the latter may be one more. */
  version: number;
  begun: number;
  removal: 'none' | 'begun' | 'acknowledged';
  /** Whether the create was refused. */
  isRefused: boolean;
}

/**
 * Every started write, and whether it was acknowledged. First and last name of a user are the same text, with its key
 * and version, so that a partial write is visible.
 */
export class Ledger {
  readonly #entries = new Map<string, Entry>();
  #acknowledged = 0;

  /** Acknowledged writes, and users whose last write has no answer. */
  get counts(): { readonly acknowledged: number; readonly uncertain: number } {
    const isUncertain = ({ id, version, begun, removal, isRefused }: Entry): boolean =>
      (id === undefined && !isRefused) || version !== begun || removal === 'begun';
    return {
      acknowledged: this.#acknowledged,
      uncertain: [...this.#entries.values()].filter(isUncertain).length,
    };
  }

  begin(): { readonly key: string; readonly names: string } {
    const key = `k${this.#entries.size}`;
    this.#entries.set(key, { key, id: undefined, version: 0, begun: 0, removal: 'none', isRefused: false });
    return { key, names: `${key} v0` };
  }

  created({ key }: { readonly key: string }, body: string): void {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The comparison finds a wrong answer.
    this.#get(key).id = (JSON.parse(body) as Row).id;
    this.#acknowledged += 1;
  }

  beginRename(key: string): { readonly id: string; readonly names: string } {
    const entry = this.#get(key);
    entry.begun += 1;
    return { id: entry.id ?? '', names: `${key} v${entry.begun}` };
  }

  renamed(key: string): void {
    const entry = this.#get(key);
    entry.version = entry.begun;
    this.#acknowledged += 1;
  }

  /** Returns the id of the user to delete. */
  beginRemoval(key: string): string {
    const entry = this.#get(key);
    entry.removal = 'begun';
    return entry.id ?? '';
  }

  removed(key: string): void {
    this.#get(key).removal = 'acknowledged';
    this.#acknowledged += 1;
  }

  /** The last started write has not happened, and must not appear. */
  refused(key: string): void {
    const entry = this.#get(key);
    if (entry.id === undefined) entry.isRefused = true;
    entry.removal = 'none';
    entry.begun = entry.version;
  }

  /** Compares a server's rows with the writes: a sentence for each difference. */
  compare(rows: readonly Row[]): string[] {
    const found = Map.groupBy(rows, ({ first_name: name }) => name.split(' ')[0] ?? '');
    const strangers = [...found.keys()].filter((key) => !this.#entries.has(key));
    return [
      ...strangers.map((key) => `${key} was never written`),
      ...this.#entries.values().flatMap((entry) => judge(entry, found.get(entry.key) ?? [])),
    ];
  }

  #get(key: string): Entry {
    const entry = this.#entries.get(key);
    if (entry === undefined) throw new Error(`${key} was never started`);
    return entry;
  }
}

function judge({ key, id, version, begun, removal, isRefused }: Entry, rows: readonly Row[]): string[] {
  const [row] = rows;
  if (rows.length > 1) return [`${key} exists ${rows.length} times`];
  if (row === undefined) return id === undefined || removal !== 'none' ? [] : [`${key} was acknowledged, but is lost`];
  if (isRefused) return [`${key} was refused, but exists`];
  if (removal === 'acknowledged') return [`the removal of ${key} was acknowledged, but it exists`];
  if (id !== undefined && row.id !== id) return [`${key} has another id than acknowledged`];
  if (row.first_name !== row.last_name) return [`${key} is partially written: ${row.first_name}, ${row.last_name}`];
  const isRight = [version, begun].some((one) => row.first_name === `${key} v${one}`);
  return isRight ? [] : [`${key} is ${row.first_name}, but v${version} was acknowledged`];
}
