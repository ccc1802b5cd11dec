import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';

import type { User, UserNames } from '@messenger/protocol/users';

/** The correct answer. */
export interface Reply {
  readonly status: number;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

interface Exchange {
  /** `GET user`, `GET list`, `POST list`, … */
  readonly about: string;
  readonly url: URL;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** Earlier states of the row, oldest first. */
  readonly past: readonly User[];
  /** The newest rows. */
  readonly list: (limit: number) => unknown;
}

/** Returns the wrong answer; undefined when it has answered by itself, or never will. */
export type Lie = (reply: Reply, exchange: Exchange) => Reply | undefined;

/** The users API in memory, correct except for one wrong answer. */
export class LyingServer {
  readonly #states = new Map<string, User[]>();
  readonly #server: Server;
  readonly #lie: Lie;
  #clock = 0;

  constructor(lie: Lie, rows = 3) {
    this.#lie = lie;
    for (let row = 0; row < rows; row++) this.#create({ first_name: 'Old', last_name: 'Row' });
    this.#server = createServer((request, response) => void this.#answer(request, response));
  }

  /** Resolves with the base URL. */
  async listen(): Promise<string> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return `http://127.0.0.1:${portOf(this.#server.address())}`;
  }

  async close(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://here');
    const id = url.pathname.split('/')[4];
    const past = this.#states.get(id ?? '')?.slice(0, -1) ?? [];
    const about = `${request.method} ${id === undefined ? 'list' : 'user'}`;
    const reply = await this.#honest(request, url, id);
    const list = (limit: number): unknown => this.#list(new URL(`?limit=${limit}`, url)).body;
    const said = this.#lie(reply, { about, url, request, response, past, list });
    if (said === undefined) return;
    response.writeHead(said.status, said.headers);
    response.end(said.body === undefined ? undefined : JSON.stringify(said.body));
  }

  async #honest(request: IncomingMessage, url: URL, id: string | undefined): Promise<Reply> {
    if (request.method === 'POST') return { status: 201, body: this.#create(await readNames(request)) };
    if (id === undefined) return this.#list(url);
    const states = this.#states.get(id);
    const newest = states?.at(-1);
    if (states === undefined || newest === undefined) return { status: 404 };
    if (request.method === 'DELETE') return { status: this.#states.delete(id) ? 204 : 404 };
    if (request.method === 'PUT')
      states.push({ ...newest, ...(await readNames(request)), updated_at: this.#nextMoment() });
    return { status: 200, body: states.at(-1) };
  }

  #create(names: UserNames): User {
    const now = this.#nextMoment();
    const user = { id: randomUUID(), ...names, created_at: now, updated_at: now };
    this.#states.set(user.id, [user]);
    return user;
  }

  #list(url: URL): Reply {
    const limit = Number(url.searchParams.get('limit') ?? 100);
    const offset = Number(url.searchParams.get('offset') ?? 0);
    const before = url.searchParams.get('after') ?? '9';
    const newestFirst = Array.from(this.#states.values(), (states) => states.at(-1)).toReversed();
    const rows = newestFirst.filter((row) => row !== undefined && row.created_at < before);
    const page = rows.slice(offset, offset + limit);
    const link = `</api/v1/users?limit=${limit}&after=${page.at(-1)?.created_at}>; rel="next"`;
    return { status: 200, body: page, ...(page.length === limit ? { headers: { link } } : {}) };
  }

  #nextMoment(): string {
    this.#clock++;
    return `2026-01-01T00:00:00.${String(this.#clock).padStart(6, '0')}Z`;
  }
}

function portOf(address: AddressInfo | string | null): number {
  assert(typeof address === 'object' && address !== null);
  return address.port;
}

async function readNames(request: IncomingMessage): Promise<UserNames> {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- Written by the tool under test.
  return (await json(request)) as UserNames;
}
