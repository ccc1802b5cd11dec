import { ApiError, noAnswer, toApiError } from './api-error.ts';
import { operations, type Operations, type Problem } from './api.ts';
import { Seen } from './positions.ts';

/** What this client needs of `fetch`. */
export type Fetch = (url: string, init: FetchInit) => Promise<FetchAnswer>;

interface FetchInit {
  method: string;
  headers: Record<string, string>;
  signal: AbortSignal;
  body?: string;
}

interface FetchAnswer {
  readonly status: number;
  readonly headers: { get(name: string): string | null };
  text(): Promise<string>;
}

export interface RestOptions {
  /** Of the server, without a path: `https://messenger.example`. */
  readonly url: string;
  /** The token of a session. Browsers can use the session cookie in its place. */
  readonly token?: string | undefined;
  /** Default: the global one. */
  readonly fetch?: Fetch | undefined;
  /** The maximum duration of a call. Default: 15 s; a server answers within 10. */
  readonly timeoutMs?: number | undefined;
}

type Name = keyof Operations;
type Arguments<Call extends Name> = Omit<Operations[Call], 'answer'> & { readonly signal?: AbortSignal };
type Given<Call extends Name> =
  Partial<Arguments<Call>> extends Arguments<Call> ? [given?: Arguments<Call>] : [given: Arguments<Call>];

interface Parts {
  readonly path?: Readonly<Record<string, string | number>>;
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
  readonly body?: unknown;
  readonly signal?: AbortSignal;
}

interface Answer {
  readonly body: unknown;
  /** The query of the next page. */
  readonly next: URLSearchParams | undefined;
}

/**
 * The REST API: each call by the `operationId` of the reference at `/docs`. Every call is answered from data at least as new as any answer
 * before it (`Consistency-Token`). Rejects with an `ApiError`.
 */
export class Rest {
  token: string | undefined;
  readonly seen: Seen;
  readonly #url: string;
  readonly #fetch: Fetch;
  readonly #timeoutMs: number;

  constructor({ url, token, fetch: given, timeoutMs = 15_000 }: RestOptions, seen = new Seen()) {
    this.#url = new URL('/api/v1', url).href;
    this.token = token;
    this.#fetch = given ?? (async (...request) => fetch(...request));
    this.#timeoutMs = timeoutMs;
    this.seen = seen;
  }

  async call<Call extends Name>(name: Call, ...[given]: Given<Call>): Promise<Operations[Call]['answer']> {
    const { body } = await this.#send(name, given ?? {});
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The server validates what it sends against the same schema.
    return body as Operations[Call]['answer'];
  }

  /** All pages of a list, one after the other. */
  async *pages<Call extends Name>(
    name: Call,
    ...[given]: Given<Call>
  ): AsyncGenerator<Operations[Call]['answer'], void> {
    let query = searchOf(given ?? {});
    for (;;) {
      const { body, next } = await this.#send(name, given ?? {}, query);
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- As above.
      yield body as Operations[Call]['answer'];
      if (next === undefined) return;
      query = next;
    }
  }

  async #send(name: Name, parts: Parts, query = searchOf(parts)): Promise<Answer> {
    const [method = '', template = ''] = operations[name].split(' ');
    const path = template.replaceAll(/\{(\w+)\}/gu, (_, key: string) => encodeURIComponent(parts.path?.[key] ?? ''));
    const search = query.size === 0 ? '' : `?${query.toString()}`;
    const limit = AbortSignal.timeout(this.#timeoutMs);
    try {
      const answer = await this.#fetch(`${this.#url}${path}${search}`, {
        method,
        headers: this.#headers(parts.body),
        signal: parts.signal === undefined ? limit : AbortSignal.any([limit, parts.signal]),
        ...(parts.body === undefined ? {} : { body: JSON.stringify(parts.body) }),
      });
      return this.#read(answer, await answer.text());
    } catch (error) {
      if (parts.signal?.aborted === true) throw noAnswer('stopped', 'The call was aborted');
      if (limit.aborted) throw noAnswer('timed_out', 'The server did not answer in time');
      throw toApiError(error);
    }
  }

  #headers(body: unknown): Record<string, string> {
    return {
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(this.token === undefined ? {} : { authorization: `Bearer ${this.token}` }),
      ...(this.seen.newest === undefined ? {} : { 'consistency-token': this.seen.newest }),
    };
  }

  #read({ status, headers }: FetchAnswer, text: string): Answer {
    this.seen.add(headers.get('consistency-token'));
    const body = text === '' ? undefined : parse(text);
    if (status >= 400) throw refusal(status, body, headers.get('retry-after'));
    const link = /<[^>?]*\?([^>]*)>; rel="next"/u.exec(headers.get('link') ?? '')?.[1];
    return { body, next: link === undefined ? undefined : new URLSearchParams(link) };
  }
}

function searchOf({ query = {} }: Parts): URLSearchParams {
  const given = Object.entries(query).flatMap(([key, value]) => (value === undefined ? [] : [[key, String(value)]]));
  return new URLSearchParams(given);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw noAnswer('invalid_answer', 'The answer is not JSON: is there a Messenger server at this address?');
  }
}

function refusal(status: number, body: unknown, retryAfter: string | null): ApiError {
  const unknown = {
    type: 'about:blank',
    title: `HTTP status ${status}`,
    status,
    code: 'invalid_answer',
    request_id: '',
  };
  const isProblem = typeof body === 'object' && body !== null && 'code' in body && 'request_id' in body;
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- All refusals of the server have this shape.
  const problem = isProblem ? (body as Problem) : unknown;
  return new ApiError(problem, retryAfter === null ? undefined : Number(retryAfter) * 1_000);
}
