import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** The objects that the migrations create. */
export interface ExpectedObjects {
  readonly tables: readonly string[];
  /** Those of them whose rows may be lost in a crash. */
  readonly unlogged: readonly string[];
  /** By name, with the creating statement. */
  readonly indexes: ReadonlyMap<string, string>;
}

const tablePattern = /\b(create|drop)\s+(?:unlogged\s+)?table\s+(?:if\s+(?:not\s+)?exists\s+)?"?(\w+)"?/giu;
const indexPattern =
  /\b(create|drop)\s+(?:unique\s+)?index\s+(?:concurrently\s+)?(?:if\s+(?:not\s+)?exists\s+)?"?(\w+)"?[^;]*/giu;

/** Parses the `create` and `drop` statements of a folder's migrations. */
export async function listExpectedObjects(migrationsDir: string): Promise<ExpectedObjects> {
  const files = (await readdir(migrationsDir)).filter((file) => file.endsWith('.sql')).toSorted();
  const texts = await Promise.all(files.map(async (file) => readFile(join(migrationsDir, file), 'utf8')));
  const text = texts.map((one) => (one.split(/^-- Down Migration/mu)[0] ?? '').replaceAll(/--.*$/gmu, '')).join('\n');
  const tables = collect(text, tablePattern);
  return {
    tables: [...tables.keys()],
    unlogged: [...tables].filter(([, created]) => created.includes(' unlogged ')).map(([name]) => name),
    indexes: collect(text, indexPattern),
  };
}

/** What is created and not dropped later, with its statement in one line. */
function collect(text: string, pattern: RegExp): Map<string, string> {
  const found = new Map<string, string>();
  for (const [statement, verb = '', name = ''] of text.matchAll(pattern)) {
    if (verb.toLowerCase() === 'drop') found.delete(name);
    else found.set(name, statement.replaceAll(/\s+/gu, ' ').trim());
  }
  return found;
}
