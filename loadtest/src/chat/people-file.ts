import { readFile, writeFile } from 'node:fs/promises';

import { Type, type Static } from 'typebox';
import { Value } from 'typebox/value';

import { UsageError } from '../usage-error.ts';

const Cast = Type.Object({
  /** The base URL of the server that knows them. */
  server: Type.String(),
  people: Type.Array(Type.Object({ userId: Type.String(), token: Type.String() })),
  conversations: Type.Array(Type.Object({ id: Type.String(), members: Type.Array(Type.Integer()) })),
});

/** The people of a chat, with the tokens of their sessions, and their conversations. */
export type Cast = Static<typeof Cast>;

/** Undefined when there is no such file. Throws `UsageError`, which contains nothing of the file. */
export async function readCast(file: string): Promise<Cast | undefined> {
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return undefined;
    throw new UsageError(`The people file ${file} cannot be read.`, { cause });
  });
  if (text === undefined) return undefined;
  const cast = parse(text);
  if (cast === undefined) throw new UsageError(`${file} is no people file of the load test.`);
  return cast;
}

function parse(text: string): Cast | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return Value.Check(Cast, value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Only its owner can read it, because of the tokens. */
export async function writeCast(file: string, cast: Cast): Promise<void> {
  await writeFile(file, `${JSON.stringify(cast)}\n`, { mode: 0o600 }).catch((cause: unknown) => {
    throw new UsageError(`The people file ${file} cannot be written.`, { cause });
  });
}
