import { UsageError } from '../usage-error.ts';

const begin = '<!-- bench:tuning begin: written by `npm run bench:tuning`, changes are lost -->';
const end = '<!-- bench:tuning end -->';

/** Replaces the content between the markers. Throws `UsageError` unless the page has both markers once. */
export function replaceMarked(page: string, content: string): string {
  const [head, rest, ...more] = page.split(begin);
  const [old, tail, ...others] = rest?.split(end) ?? [];
  if (head === undefined || old === undefined || tail === undefined || more.length > 0 || others.length > 0)
    throw new UsageError(`The page must hold these two lines once, in this order:\n${begin}\n${end}`);
  return `${head}${begin}\n\n${content.trim()}\n\n${end}${tail}`;
}
