/**
 * Checks of answers. A check stores in the session what later checks need (the row, the next page), and reports a fault by its
 * kind. Examples name fields and counts, never values.
 */
import { User, type UserNames } from '@messenger/protocol/users';

import type { Fault } from './connection.ts';
import type { Answer } from './http-answer.ts';
import { newestState, type Session } from './session.ts';

export type Check = (answer: Answer, session: Session) => Fault | undefined;

const fields = Object.keys(User.properties);
const id = /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/u;
const timestamp = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/u;

/** 201, with the user as sent. */
export const checkCreated: Check = (answer, session) => {
  if (answer.status !== 201) return wrongStatus(answer);
  const user = readUser(answer.body);
  const { sent } = session;
  if (user === undefined || sent === undefined) return notAUser;
  session.states.push({ ...user, ...sent });
  session.lastBody = undefined;
  return differing(user, { ...user, ...sent });
};

/** 200, and exactly what was written last. */
export const checkRead: Check = (answer, session) => {
  if (answer.status !== 200) return wrongStatusOfOwn(answer);
  if (session.lastBody?.equals(answer.body) === true) return undefined;
  const user = readUser(answer.body);
  const newest = newestState(session);
  if (user === undefined || newest === undefined) return notAUser;
  const fault = differing(user, newest);
  if (fault === undefined) session.lastBody = Buffer.from(answer.body);
  return fault === undefined || isPossible(user, newest, session) ? undefined : staleOr(fault, user, session);
};

/** 200, the same user, with the new names. */
export const checkUpdated: Check = (answer, session) => {
  if (answer.status !== 200) return wrongStatusOfOwn(answer);
  const user = readUser(answer.body);
  const newest = newestState(session);
  const { sent } = session;
  if (user === undefined || newest === undefined || sent === undefined) return notAUser;
  const expected = { ...newest, ...sent, updated_at: user.updated_at };
  session.states.push(expected);
  session.lastBody = undefined;
  return user.updated_at < newest.updated_at ? wrongField('updated_at') : differing(user, expected);
};

export const checkDeleted: Check = (answer) => (answer.status === 204 ? undefined : wrongStatusOfOwn(answer));

/** At most `limit` rows, newest first. */
export function checkPage(limit: number): Check {
  return (answer, session) => {
    if (answer.status !== 200) return wrongStatus(answer);
    const rows = readUsers(answer.body);
    if (rows === undefined) return { kind: 'wrong body', example: 'not a list of users' };
    session.lastRow = rows.at(-1);
    session.nextPage = nextOf(answer.link);
    if (rows.length > limit) return { kind: 'too many rows', example: `${rows.length} where ${limit} is the limit` };
    return isInOrder(rows) ? undefined : { kind: 'wrong order', example: 'not by created_at and id, newest first' };
  };
}

/** As `checkPage`; and its rows follow those of the previous page. */
export function checkNextPage(limit: number): Check {
  const check = checkPage(limit);
  return (answer, session) => {
    const before = session.lastRow;
    const fault = check(answer, session);
    if (fault !== undefined || before === undefined) return fault;
    const first = readUsers(answer.body)?.[0];
    const follows = first === undefined || isInOrder([before, first]);
    return follows ? undefined : { kind: 'wrong order', example: 'a page begins before the end of the page before' };
  };
}

/** 503 with Retry-After is a refusal. The code of a problem is not user data. */
export function wrongStatus({ status, retryAfter, body }: Answer): Fault {
  if (status === 503 && retryAfter !== undefined) return { kind: 'refused' };
  const code = /"code":\s*"(?<code>[a-z_]{1,40})"/u.exec(body.toString('latin1', 0, 2048))?.groups?.['code'];
  return { kind: `status ${status}`, ...(code === undefined ? {} : { example: code }) };
}

function wrongStatusOfOwn(answer: Answer): Fault {
  if (answer.status !== 404) return wrongStatus(answer);
  return { kind: 'missing user', example: '404 for a user that was created' };
}

const notAUser: Fault = { kind: 'wrong body', example: 'not a user' };

function wrongField(field: string): Fault {
  return { kind: 'wrong body', example: `${field} differs` };
}

function differing(user: User, expected: User): Fault | undefined {
  if (user.id !== expected.id) return wrongField('id');
  if (user.first_name !== expected.first_name) return wrongField('first_name');
  if (user.last_name !== expected.last_name) return wrongField('last_name');
  if (user.created_at !== expected.created_at) return wrongField('created_at');
  return user.updated_at === expected.updated_at ? undefined : wrongField('updated_at');
}

function staleOr(fault: Fault, user: User, { states }: Session): Fault {
  const isOld = states.some((state) => differing(user, state) === undefined);
  return isOld ? { kind: 'stale read', example: 'older than the newest acknowledged write' } : fault;
}

/** A write that failed may have been committed. */
function isPossible(user: User, newest: User, { uncertain }: Session): boolean {
  return (
    user.id === newest.id && user.created_at === newest.created_at && uncertain.some((names) => hasNames(user, names))
  );
}

function hasNames(user: User, names: UserNames): boolean {
  return user.first_name === names.first_name && user.last_name === names.last_name;
}

/** Timestamps and ids sort as text. */
function isInOrder(rows: readonly User[]): boolean {
  return rows.every((row, index) => {
    const before = rows[index - 1];
    if (before === undefined) return true;
    return before.created_at > row.created_at || (before.created_at === row.created_at && before.id > row.id);
  });
}

/** `</api/v1/users?…>; rel="next"` */
function nextOf(link: string | undefined): string | undefined {
  return /^<(?<target>\/[^<>\s]*)>; rel="next"$/u.exec(link ?? '')?.groups?.['target'];
}

function readUser(body: Buffer): User | undefined {
  const user = parse(body);
  return hasFields(user) && id.test(user.id) && timestamp.test(user.created_at) && timestamp.test(user.updated_at)
    ? user
    : undefined;
}

/** The `id` of an object, if it is text or a whole number. */
export function readId(body: Buffer): string | undefined {
  const value = parse(body);
  const found: unknown = typeof value === 'object' && value !== null ? Reflect.get(value, 'id') : undefined;
  if (Number.isSafeInteger(found)) return String(found);
  return typeof found === 'string' && /^[\w-]{1,64}$/u.test(found) ? found : undefined;
}

function readUsers(body: Buffer): User[] | undefined {
  const rows = parse(body);
  return Array.isArray(rows) && rows.every(hasFields) ? rows : undefined;
}

function parse(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString());
  } catch {
    return undefined;
  }
}

/**
 * Exactly the fields of the contract, all text. Without a validator, because a list has 100 rows and arrives a thousand times per
 * second.
 */
function hasFields(value: unknown): value is User {
  if (typeof value !== 'object' || value === null) return false;
  const entries = Object.entries(value);
  return entries.length === fields.length && fields.every((name) => typeof Reflect.get(value, name) === 'string');
}
