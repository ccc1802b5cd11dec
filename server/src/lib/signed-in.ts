import type { Role } from '@messenger/protocol/accounts';

/** The account that a call acts for, and the session that shows it. */
export interface SignedIn {
  readonly userId: string;
  readonly sessionId: string;
  readonly role: Role;
}
