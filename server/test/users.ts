import type { App } from '../src/app.ts';
import type { Caller } from '../src/db/caller.ts';
import { UserReader } from '../src/users/user-reader.ts';
import { UserWriter } from '../src/users/user-writer.ts';
import { Users } from '../src/users/users.ts';

/** The use cases of an app without HTTP: calls of one event-loop turn share one turn in the database layer. */
export function usersOf({ databases: { reads, writes } }: App): Users {
  return new Users(new UserReader(reads), new UserWriter(writes));
}

/** A client without a token, connected until the signal aborts. */
export function someone(lifetime: AbortSignal = new AbortController().signal): Caller {
  return { lifetime, token: undefined, seen: undefined };
}
