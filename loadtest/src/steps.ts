import { pageLimitDefault } from '@messenger/protocol/limits';

import { checkCreated, checkDeleted, checkNextPage, checkPage, checkRead, checkUpdated, type Check } from './checks.ts';
import { makeNames, newestState, type Session } from './session.ts';

export interface Request {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  readonly path: string;
  /** JSON, in ASCII. */
  readonly body?: string;
}

export interface Step {
  /** As in the guide's load test. */
  readonly name: string;
  /** Minimum and maximum think time before it. */
  readonly thinkMs: readonly [number, number];
  /** undefined skips the step, such as when there is no next page. */
  readonly request: (session: Session) => Request | undefined;
  readonly check: Check;
  /** The statuses that count as success with `--checks guide`, whatever the body. They include 404, as in the guide's test. */
  readonly guideStatuses: readonly number[];
}

const users = '/api/v1/users';
const pageLimit = 20;
const short = [50, 200] as const;
const long = [100, 500] as const;
const none = [0, 0] as const;

const own = (session: Session): string | undefined => {
  const id = newestState(session)?.id;
  return id === undefined ? undefined : `${users}/${id}`;
};

function sendNames(session: Session, method: 'POST' | 'PUT', path: string): Request {
  session.sent = makeNames(session);
  return { method, path, body: JSON.stringify(session.sent) };
}

const create: Step = {
  name: 'Create User',
  thinkMs: none,
  request: (session) => sendNames(session, 'POST', users),
  check: checkCreated,
  guideStatuses: [200, 201],
};

const list: Step = {
  name: 'Get All Users',
  thinkMs: short,
  request: () => ({ method: 'GET', path: users }),
  check: checkPage(pageLimitDefault),
  guideStatuses: [200],
};

const read: Step = {
  name: 'Get User By ID',
  thinkMs: short,
  request: (session) => ownRequest(session, 'GET'),
  check: checkRead,
  guideStatuses: [200, 404],
};

const update: Step = {
  name: 'Update User',
  thinkMs: short,
  request: (session) => {
    const path = own(session);
    return path === undefined ? undefined : sendNames(session, 'PUT', path);
  },
  check: checkUpdated,
  guideStatuses: [200, 404],
};

const remove: Step = {
  name: 'Delete User',
  thinkMs: short,
  request: (session) => ownRequest(session, 'DELETE'),
  check: checkDeleted,
  guideStatuses: [200, 204, 404],
};

const firstPage: Step = {
  name: 'Get First Page',
  thinkMs: short,
  request: () => ({ method: 'GET', path: `${users}?limit=${pageLimit}` }),
  check: checkPage(pageLimit),
  guideStatuses: [200],
};

const nextPage: Step = {
  name: 'Get Next Page',
  thinkMs: short,
  request: ({ nextPage: path }) => (path === undefined ? undefined : { method: 'GET', path }),
  check: checkNextPage(pageLimit),
  guideStatuses: [200],
};

const pageByOffset: Step = {
  name: 'Get Page By Offset',
  thinkMs: short,
  request: () => ({ method: 'GET', path: `${users}?limit=${pageLimit}&offset=${3 * pageLimit}` }),
  check: checkPage(pageLimit),
  guideStatuses: [200],
};

function ownRequest(session: Session, method: 'GET' | 'DELETE'): Request | undefined {
  const path = own(session);
  return path === undefined ? undefined : { method, path };
}

/** The guide's order and think times: 100–500 ms after the first request, then 50–200 ms. */
export const crud: readonly Step[] = [create, { ...list, thinkMs: long }, read, update, remove];

export const paging: readonly Step[] = [create, firstPage, nextPage, nextPage, pageByOffset, remove];
export const reading: readonly Step[] = [create, read, list, read, read, list, read, read, remove];
/** Each write is read back. */
export const writing: readonly Step[] = [create, read, update, read, update, read, remove];
