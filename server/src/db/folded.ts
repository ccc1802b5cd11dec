/** SQL: a text as searches compare it. Needs a database in UTF-8, which `messenger doctor` checks. */
export function folded(sql: string): string {
  return `casefold(normalize(${sql}, nfkc) collate pg_unicode_fast) collate "C"`;
}
