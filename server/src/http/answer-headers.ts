import { newToken } from './consistency.ts';

/** Documents the headers of an answer, with the consistency token. */
export function withHeaders<Schema extends object>(
  schema: Schema,
  others: Readonly<Record<string, string>> = {},
): Schema {
  const described = Object.entries({ ...others, 'Consistency-Token': newToken });
  const headers = described.map(([name, description]) => [name, { type: 'string', description }] as const);
  return { ...schema, headers: Object.fromEntries(headers) };
}
