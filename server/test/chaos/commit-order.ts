import type { System } from './system.ts';

const slot = 'commit_order';

/** From now on PostgreSQL keeps its log for `readOrder`. Restarts the server with `wal_level = logical`. */
export async function keepLog(system: System): Promise<void> {
  await system.sql('write', `alter system set wal_level = 'logical'`);
  await system.startAgain();
  await system.sql('write', `select pg_create_logical_replication_slot('${slot}', 'test_decoding')`);
}

interface Order {
  /** Message numbers, in the order of their commits. */
  readonly numbers: number[];
  /** Values of `seq` of the conversation, one for each time that a transaction wrote its row. */
  readonly counted: number[];
  /** The values that messages and members carry. */
  readonly taken: Set<number>;
}

const table = /^table public\.(?<name>conversations|messages|members): (?<action>INSERT|UPDATE): (?<columns>.*)$/su;
const columnOf = (columns: string, column: string): string | undefined =>
  new RegExp(String.raw`(?:^| )${column}\[[a-z ]+\]:'?(?<value>[\da-f-]+)`, 'u').exec(columns)?.groups?.['value'];

/** Decodes PostgreSQL's log since `keepLog`, by conversation. Transactions come in the order of their commits. */
async function readOrder(system: System): Promise<ReadonlyMap<string, Order>> {
  const rows = await system.sql<{ data: string }>(
    'write',
    `select data from pg_logical_slot_get_changes('${slot}', null, null)`,
  );
  const orders = new Map<string, Order>();
  for (const { data } of rows) {
    const { name = '', action, columns = '' } = table.exec(data)?.groups ?? {};
    const id = columnOf(columns, name === 'conversations' ? 'id' : 'conversation_id');
    if (id === undefined) continue;
    const order = orders.get(id) ?? { numbers: [], counted: [], taken: new Set() };
    orders.set(id, order);
    if (name === 'conversations') order.counted.push(Number(columnOf(columns, 'seq')));
    else order.taken.add(Number(columnOf(columns, 'changed_seq')));
    if (name === 'messages' && action === 'INSERT') order.numbers.push(Number(columnOf(columns, 'number')));
  }
  return orders;
}

/** Sentences about numbers that are missing, repeated, or not in the order of commits. */
export async function findDisorder(system: System): Promise<string[]> {
  const violations: string[] = [];
  for (const [id, { numbers, counted, taken }] of await readOrder(system)) {
    const wrong = numbers.find((number, index) => number !== index + 1);
    if (wrong !== undefined) violations.push(`conversation ${id}: message ${wrong} is committed out of order`);
    const late = counted.find((seq, index) => index > 0 && seq <= (counted[index - 1] ?? 0));
    if (late !== undefined) violations.push(`conversation ${id}: seq ${late} is committed after a larger one`);
    const last = counted.at(-1) ?? 0;
    for (let seq = 1; seq <= last; seq += 1)
      if (!taken.has(seq)) violations.push(`conversation ${id}: seq ${seq} is of no change`);
    for (const seq of taken) if (seq > last) violations.push(`conversation ${id}: seq ${seq} is beyond its last one`);
  }
  return violations;
}
