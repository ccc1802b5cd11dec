import { Agent, request } from 'node:http';

import { SignInAnswer } from '@messenger/protocol/accounts';
import { Conversation } from '@messenger/protocol/conversations';
import { Value } from 'typebox/value';

import { BenchServer } from './bench-server.ts';
import { describeRun } from './machine.ts';
import type { BenchOptions } from './options.ts';
import { median, medianRatio, quantile } from './statistics.ts';

const messages = 1_000_000;
const conversations = 1_000;
const perConversation = messages / conversations;

/** Words are numbered by their rank: word `r` of 50,000 is one of `11 r` words, as in natural languages. */
const vocabulary = 50_000;
const wordOf = (rank: number): string => `w${String(rank).padStart(5, '0')}`;

const classes = {
  common: [1, 2, 3, 5, 8],
  mid: [100, 200, 400, 700, 1_000],
  rare: [8_000, 15_000, 23_000, 31_000, 42_000],
} as const;

const person = (name: string): string => `md5('${name}')::uuid`;
const conversation = (n: string): string => `md5('conversation ' || ${n})::uuid`;

/** `broad` is in 300 conversations, `narrow` in 5. Without the index while rows are inserted, in a fifth of the time. */
const fill = (broad: string, narrow: string): string[] => [
  'drop index messages_search_idx',
  `insert into conversations (id, kind, title, member_count, seq, last_number)
   select ${conversation('n')}, 'group', 't', 1, ${perConversation}, ${perConversation} from generate_series(0, ${conversations - 1}) n`,
  `insert into members (conversation_id, user_id, role, listed_at, changed_seq)
   select ${conversation('n')}, p.id::uuid, 'member', date_bin('1 hour', now(), 'epoch'), 1
     from generate_series(0, ${conversations - 1}) n, (values ('${broad}', 10, 3), ('${narrow}', 200, 1)) p (id, every, first)
    where n % every < first`,
  `insert into messages (conversation_id, number, id, sender_id, body, sent_hash, created_at, changed_seq, search)
   select c, n / ${conversations} + 1, gen_random_uuid(), ${person('sender')}, body, '', now() - (${messages} - n) * interval '20 s',
          n / ${conversations} + 1,
          (select string_agg(distinct '''' || w || '''', ' ') || ' ''#' || replace(c::text, '-', '') || '''' from string_to_table(body, ' ') w)::tsvector
     from (select n, ${conversation(`n % ${conversations}`)} as c,
                  (select string_agg('w' || lpad(floor(${vocabulary} ^ random())::int::text, 5, '0'), ' ') from generate_series(1, 8 + n % 8)) as body
             from generate_series(0, ${messages - 1}) n) as each`,
  'create index messages_search_idx on messages using gin (search)',
  'vacuum analyze',
  'checkpoint',
];

interface Account {
  readonly id: string;
  readonly token: string;
}

type Call = (method: 'GET' | 'POST', path: string, token: string, body?: object) => Promise<string>;

/** Rejects for everything but success. */
function caller(port: number, agent: Agent): Call {
  return async (method, path, token, body) =>
    new Promise((resolve, reject) => {
      const headers = { authorization: `Bearer ${token}`, ...(body && { 'content-type': 'application/json' }) };
      const sent = request({ port, host: '127.0.0.1', agent, method, path: `/api/v1${path}`, headers }, (answer) => {
        let text = '';
        answer.setEncoding('utf8').on('data', (part: string) => (text += part));
        answer.on('end', () =>
          answer.statusCode === 200 || answer.statusCode === 201 ? resolve(text) : reject(new Error(text)),
        );
      });
      sent.on('error', reject).end(body && JSON.stringify(body));
    });
}

async function signUp(call: Call, username: string): Promise<Account> {
  const names = { first_name: 'B', last_name: 'B' };
  const answer: unknown = JSON.parse(
    await call('POST', '/accounts', '', { username, password: 'zq vkw jhg plm', ...names }),
  );
  const { user, token = '' } = Value.Parse(SignInAnswer, answer);
  return { id: user.id, token };
}

/** Clients that call one after the other, for so long; resolves with the milliseconds of each call. */
async function load(clients: number, seconds: number, call: (n: number) => Promise<unknown>): Promise<number[]> {
  const until = performance.now() + seconds * 1_000;
  const times: number[] = [];
  let n = 0;
  const client = async (): Promise<void> => {
    while (performance.now() < until) {
      const began = performance.now();
      await call((n += 1));
      times.push(performance.now() - began);
    }
  };
  await Promise.all(Array.from({ length: clients }, client));
  return times;
}

async function benchSearches(
  call: Call,
  people: Readonly<Record<string, Account>>,
  options: BenchOptions,
): Promise<void> {
  console.log(
    '| words | conversations of the caller | clients | searches | p50 ms | p95 ms | p99 ms |\n| --- | ---: | ---: | ---: | ---: | ---: | ---: |',
  );
  for (const [name, ranks] of Object.entries(classes))
    for (const [whose, { token }] of Object.entries(people))
      for (const clients of [1, 8]) {
        const search = async (n: number) => call('GET', `/search?q=${wordOf(ranks[n % ranks.length] ?? 1)}`, token);
        await load(clients, 1, search);
        const times = await load(clients, options.seconds, search);
        const figures = [0.5, 0.95, 0.99].map((share) => quantile(times, share).toFixed(1));
        console.log(`| ${[name, whose, clients, times.length, ...figures].join(' | ')} |`);
      }
}

/** The index as PostgreSQL writes it, and not: of one server, so that all else is equal. Afterwards the index lacks rows. */
const writesIndex = (isOn: boolean): string =>
  `update pg_index set indisready = ${isOn} where indexrelid = 'messages_search_idx'::regclass`;

async function benchSends(
  server: BenchServer,
  call: Call,
  { token }: Account,
  { rounds, seconds }: BenchOptions,
): Promise<void> {
  const samples = {
    with: { us: [] as number[], perSecond: [] as number[] },
    without: { us: [] as number[], perSecond: [] as number[] },
  };
  const made: unknown = JSON.parse(await call('POST', '/conversations', token, { kind: 'group', title: 't' }));
  const { id } = Value.Parse(Conversation, made);
  const body = (n: number) =>
    Array.from({ length: 11 }, (_, i) => wordOf(Math.floor(vocabulary ** (((n * 11 + i) * 0.618) % 1)))).join(' ');
  let sent = 0;
  const send = async () => call('POST', `/conversations/${id}/messages`, token, { body: body((sent += 1)) });
  // Round 0 warms up. The order alternates.
  for (let round = 0; round <= rounds; round += 1)
    for (const side of round % 2 === 0 ? (['with', 'without'] as const) : (['without', 'with'] as const)) {
      await server.prepare(writesIndex(side === 'with'), 'checkpoint');
      const before = server.cpuUs();
      const times = await load(64, seconds, send);
      const after = server.cpuUs();
      if (round === 0) continue;
      samples[side].us.push((after.databases + after.workers - before.databases - before.workers) / times.length);
      samples[side].perSecond.push(times.length / seconds);
    }
  for (const figure of ['us', 'perSecond'] as const) {
    const [on, off] = [samples.with[figure], samples.without[figure]];
    const unit = figure === 'us' ? 'CPU µs of all processes per send' : 'sends/s';
    console.log(
      `${unit}: with the index ${median(on).toFixed(0)}, without ${median(off).toFixed(0)}: × ${medianRatio(on, off).toFixed(2)}`,
    );
  }
}

/** Searches among a million messages, and what the index of words costs a send. The server is filled in two to four minutes. */
export async function benchSearch(options: BenchOptions, signal: AbortSignal): Promise<void> {
  const server = await BenchServer.start({ RATE_LIMIT_READS: '0', RATE_LIMIT_WRITES: '0' });
  const agent = new Agent({ keepAlive: true, maxSockets: 64 });
  try {
    const call = caller(server.port, agent);
    const [broad, narrow] = [await signUp(call, 'broad'), await signUp(call, 'narrow')];
    await server.prepare(...fill(broad.id, narrow.id));
    signal.throwIfAborted();
    console.log(`${describeRun(new Date())}. ${messages} messages in ${conversations} conversations.\n`);
    await benchSearches(call, { 300: broad, 5: narrow }, options);
    signal.throwIfAborted();
    await benchSends(server, call, broad, options);
  } finally {
    agent.destroy();
    await server.stop();
  }
}
