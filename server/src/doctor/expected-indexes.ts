import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

const indexPattern =
  /\b(create|drop)\s+(?:unique\s+)?index\s+(?:concurrently\s+)?(?:if\s+(?:not\s+)?exists\s+)?"?(\w+)"?/giu;

/** Names of the indexes that the migrations of a folder leave behind, by their `create index` and `drop index`. */
export async function listExpectedIndexes(migrationsDir: string): Promise<string[]> {
  const files = (await readdir(migrationsDir)).filter((file) => file.endsWith('.sql')).toSorted();
  const expected = new Set<string>();
  for (const file of files) {
    const [up = ''] = (await readFile(join(migrationsDir, file), 'utf8')).split(/^-- Down Migration/mu);
    for (const [, verb = '', name = ''] of up.replaceAll(/--.*$/gmu, '').matchAll(indexPattern)) {
      if (verb.toLowerCase() === 'create') expected.add(name);
      else expected.delete(name);
    }
  }
  return [...expected];
}
