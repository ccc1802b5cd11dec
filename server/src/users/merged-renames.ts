import { nameMaxLength } from '@messenger/protocol/limits';
import type { User, UserNamesPatch } from '@messenger/protocol/users';

export interface Rename {
  readonly id: string;
  /** Absent names stay unchanged. */
  readonly names: UserNamesPatch;
}

/** All renames of one user in a batch, merged. */
export interface MergedRename extends Rename {
  /** Number of renames: each advances `updated_at` by at least a microsecond. */
  readonly count: number;
}

/**
 * Merges the renames of each user, in order. Users are in the order of their first rename. A name that the database refuses is kept: a
 * later valid name must not hide the failure of its call.
 */
export function mergeRenames(renames: readonly Rename[]): MergedRename[] {
  const merged = new Map<string, MergedRename>();
  for (const { id, names } of renames) {
    const before = merged.get(id);
    merged.set(id, before === undefined ? { id, names, count: 1 } : mergeTwo(before, names));
  }
  return [...merged.values()];
}

function mergeTwo({ id, names, count }: MergedRename, next: UserNamesPatch): MergedRename {
  return { id, names: { ...names, ...definedOf(next), ...refusedOf(names) }, count: count + 1 };
}

function refusedOf({ first_name: first, last_name: last }: UserNamesPatch): UserNamesPatch {
  return { ...(isRefused(first) ? { first_name: first } : {}), ...(isRefused(last) ? { last_name: last } : {}) };
}

/** Refused by the table's checks, or by PostgreSQL, which stores no NUL. */
function isRefused(name: string | undefined): name is string {
  return name !== undefined && (name === '' || name.includes('\0') || Array.from(name).length > nameMaxLength);
}

/**
 * The user after the rename that is `later` before the last of `count`. `before` has the names before the first, and the
 * times after the last.
 */
export function userAfter(before: User, names: UserNamesPatch, later: number): User {
  return {
    id: before.id,
    first_name: names.first_name ?? before.first_name,
    last_name: names.last_name ?? before.last_name,
    created_at: before.created_at,
    updated_at: microsecondsBefore(before.updated_at, later),
  };
}

function definedOf({ first_name: first, last_name: last }: UserNamesPatch): UserNamesPatch {
  return { ...(first === undefined ? {} : { first_name: first }), ...(last === undefined ? {} : { last_name: last }) };
}

const microsecondsOfSecond = 1_000_000;

/** Of a time as our sessions write it: `2026-01-28T12:00:00.123456Z`. Less than a second. */
function microsecondsBefore(time: string, microseconds: number): string {
  if (microseconds === 0) return time;
  const [seconds = '', fraction = ''] = time.slice(0, -1).split('.');
  const left = Number(fraction) - microseconds;
  const digits = String((left + microsecondsOfSecond) % microsecondsOfSecond).padStart(6, '0');
  const second = left >= 0 ? seconds : new Date(Date.parse(`${seconds}Z`) - 1_000).toISOString().slice(0, -5);
  return `${second}.${digits}Z`;
}
