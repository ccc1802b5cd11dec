import type { User, UserNames } from '@messenger/protocol/users';

/** What one virtual user has been told, and so may count on. */
export interface Session {
  /** Among all users of the run. */
  readonly number: number;
  /** How many pairs of names it has made up. */
  namesMade: number;
  /** Its row in every state that the server has acknowledged, the newest last. Empty until it is created. */
  readonly states: User[];
  /** Sent with a request that failed: the row may hold these or not. */
  readonly uncertain: UserNames[];
  /** The names of the request that is on its way. */
  sent: UserNames | undefined;
  /** Row and body of the newest answer that showed the row; the same bytes need no second look. */
  lastBody: Buffer | undefined;
  /** The newest one that any answer carried; goes back with each request. */
  consistencyToken: string | undefined;
  /** Where the next page is, and the row that it must come after. */
  nextPage: string | undefined;
  lastRow: User | undefined;
}

export function newSession(number: number): Session {
  return {
    number,
    namesMade: 0,
    states: [],
    uncertain: [],
    sent: undefined,
    lastBody: undefined,
    consistencyToken: undefined,
    nextPage: undefined,
    lastRow: undefined,
  };
}

/** Names that no other user of the run has, and that this one had not before. ASCII: a character is a byte. */
export function makeNames(session: Session): UserNames {
  session.namesMade++;
  return { first_name: `Load${session.number}`, last_name: `Test${session.namesMade}` };
}

export function newestState({ states }: Session): User | undefined {
  return states.at(-1);
}
