import type { Session } from '@messenger/protocol/accounts';

import { describeClient } from './client-kind.ts';

/** A row of `sessionColumns`. */
export interface SessionRow {
  readonly id: string;
  readonly created_at: string;
  readonly last_used_at: string;
  readonly expires_at: string;
  readonly user_agent: string;
  readonly address: string;
}

export const sessionColumns = 'id, created_at, last_used_at, expires_at, user_agent, address';

/** `current` is the id of the caller's session. */
export function toSession({ user_agent: userAgent, ...row }: SessionRow, current: string): Session {
  return { ...row, client: describeClient(userAgent), is_current: row.id === current };
}
