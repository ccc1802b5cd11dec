import { callNames, type CallName } from './calls.ts';

/** The compared servers: their options beside the defaults. */
export const sides = {
  batched: { DB_BATCHING: 'on' },
  unbatched: { DB_BATCHING: 'off' },
  asynchronous: { DB_BATCHING: 'on', MESSENGER_SYNCHRONOUS_COMMIT: 'off' },
} as const;
export type Side = keyof typeof sides;

/** A measurement of a call: over HTTP on a side, or with pgbench on the databases of `batched`. */
export interface Source {
  readonly call: CallName;
  readonly on: Side | 'pgbench';
}

export type Figure = 'perSecond' | 'p99Ms' | 'databaseUs';

/** A line of the table: a figure of the left, divided by that of the right. */
export interface Line {
  /** The name for `--only`. */
  readonly group: string;
  readonly title: string;
  readonly figure: Figure;
  readonly left: Source;
  readonly right: Source;
  readonly target: { readonly atLeast: number } | { readonly atMost: number };
}

type Target = Line['target'];

function compare(
  [group, title, figure]: readonly [string, string, Figure],
  call: CallName,
  [left, right]: readonly [Side, Source['on']],
  target: Target,
): Line {
  return { group, title, figure, left: { call, on: left }, right: { call, on: right }, target };
}

const batching: readonly Line[] = callNames.flatMap((call) => [
  compare(['batching', `${call}: batched ÷ unbatched requests/s`, 'perSecond'], call, ['batched', 'unbatched'], {
    atLeast: 2,
  }),
  compare(['batching', `${call}: batched ÷ unbatched p99`, 'p99Ms'], call, ['batched', 'unbatched'], { atMost: 1 }),
  compare(
    ['batching', `${call}: batched ÷ unbatched CPU of the databases`, 'databaseUs'],
    call,
    ['batched', 'unbatched'],
    {
      atMost: 0.5,
    },
  ),
]);

const durability: readonly Line[] = [
  compare(
    ['durability', 'post: durable ÷ asynchronous, both batched', 'perSecond'],
    'post',
    ['batched', 'asynchronous'],
    {
      atLeast: 0.9,
    },
  ),
  compare(['durability', 'post: batched ÷ unbatched, both durable', 'perSecond'], 'post', ['batched', 'unbatched'], {
    atLeast: 4,
  }),
];

const reach = [
  ['get', 0.45],
  ['list', 0.9],
  ['post', 0.7],
] as const;

const pgbench: readonly Line[] = reach.map(([call, atLeast]) =>
  compare(['pgbench', `${call}: over HTTP ÷ pgbench`, 'perSecond'], call, ['batched', 'pgbench'], { atLeast }),
);

export const lines: readonly Line[] = [...batching, ...durability, ...pgbench];
export const groups: readonly string[] = [...new Set(lines.map(({ group }) => group))];
