import type { ServerCheck } from './about.ts';
import { ok, warn } from './finding.ts';

/** The guide's target. */
const leastRatio = 0.99;

/** The guide's query. */
const cacheSql = `select coalesce(sum(heap_blks_hit), 0)::float8 as hit, coalesce(sum(heap_blks_read), 0)::float8 as read
  from pg_statio_user_tables`;

/** Checks the cache hit ratio of the tables' pages. */
export const checkCache: ServerCheck = async ({ where, ask }, { limits: { leastPages } }) => {
  const [{ hit, read } = { hit: 0, read: 0 }] = await ask<{ hit: number; read: number }>(cacheSql);
  const subject = { check: 'cache hit ratio', where } as const;
  const pages = hit + read;
  if (pages < leastPages) return [ok(subject, `not enough data: ${pages} pages were read`)];
  const found = `${((100 * hit) / pages).toFixed(2)} %`;
  if (hit / pages >= leastRatio) return [ok(subject, found)];
  const advice =
    'Raise shared_buffers: `messenger tune` says to how much. After a change: select pg_stat_reset(), and ask again in a day.';
  return [warn(subject, `${found}, below ${100 * leastRatio} %`, advice)];
};
