import type { User, UserNames } from '@messenger/protocol/users';

/** The state of one virtual user. */
export interface Session {
  /** Among all users of the run. */
  readonly number: number;
  /** Pairs of names that it has generated. */
  namesMade: number;
  /** All acknowledged states of its row, the newest last. Empty until it is created. */
  readonly states: User[];
  /** Names of failed requests: the row may have them. */
  readonly uncertain: UserNames[];
  /** The names of the request in flight. */
  sent: UserNames | undefined;
  /** Body of the newest answer with the row; identical bytes are not parsed again. */
  lastBody: Buffer | undefined;
  /** The newest token of any answer; sent with each request. */
  consistencyToken: string | undefined;
  /** The path of the next page, and the row that it must follow. */
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

/** Names that are unique in the run. ASCII, so that a character is a byte. */
export function makeNames(session: Session): UserNames {
  session.namesMade++;
  return { first_name: `Load${session.number}`, last_name: `Test${session.namesMade}` };
}

export function newestState({ states }: Session): User | undefined {
  return states.at(-1);
}
