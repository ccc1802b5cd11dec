import type { Server } from './about.ts';

type Asked = Pick<Server, 'ask'>;

/** The row of a query that always returns one. */
export async function askOne<Row extends object>(
  { ask }: Asked,
  sql: string,
  values?: readonly unknown[],
): Promise<Row> {
  const [row] = await ask<Row>(sql, values);
  if (row === undefined) throw new Error('the server answered without a row');
  return row;
}

/** The column `value` of the only row. */
export async function askNumber(server: Asked, sql: string): Promise<number> {
  return (await askOne<{ value: number }>(server, sql)).value;
}

/** The column `name` of all rows. */
export async function askNames({ ask }: Asked, sql: string, values?: readonly unknown[]): Promise<string[]> {
  return (await ask<{ name: string }>(sql, values)).map(({ name }) => name);
}
