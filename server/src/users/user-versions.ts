import type { User } from '@messenger/protocol/users';

import { existsInCalendar } from '../lib/calendar.ts';

/** The entity tag of a user: every change advances `updated_at` by at least a microsecond. */
export function tagOf({ updated_at: version }: User): string {
  return `"${version}"`;
}

const versionTag = /^"((\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\.\d{6}Z)"$/u;

/**
 * The values of `updated_at` in entity tags; undefined for `*`, which every user matches. Weak tags and tags of another format match no user
 * (RFC 9110, 13.1.1), so the result may be empty.
 */
export function versionsOf(tags: '*' | readonly string[] | undefined): readonly string[] | undefined {
  if (tags === undefined || tags === '*') return undefined;
  return tags.flatMap((tag) => {
    const [, version, seconds = ''] = versionTag.exec(tag) ?? [];
    return version !== undefined && existsInCalendar(seconds) ? [version] : [];
  });
}
