import { visit, type CallName } from '../calls.ts';
import type { Load } from '../load.ts';

/** Reads and updates spread over this many users. */
const spreadUsers = 10_000;
/** Connections of the comparisons of one load with another. */
const many = 64;
const few = 8;

/** One load that all sides get. */
export interface Cell {
  readonly title: string;
  readonly load: Omit<Load, 'port' | 'seconds' | 'doomed'>;
}

export interface CellChoice {
  readonly calls: readonly CallName[];
  readonly connections: readonly number[];
  /** Requests per second of open loops. */
  readonly rates: readonly number[];
  /** Whether the two comparisons of one load with another are wanted, too. */
  readonly pairs: boolean;
}

function titleOf(call: CallName, connections: number): string {
  return `${call} ${connections}`;
}

/** The right sides of these are cells of the grid. */
const oneRow: Cell = {
  title: `put ${many}, one row`,
  load: { calls: ['put'], connections: many, users: 1 },
};
const newConnections: Cell = {
  title: `get ${few}, each on a new connection`,
  load: { calls: ['get'], connections: few, requestsPerConnection: 1, users: spreadUsers },
};
export const pairs = [
  { left: oneRow.title, right: titleOf('put', many) },
  { left: newConnections.title, right: titleOf('get', few) },
] as const;

function gridCell(call: CallName, connections: number): Cell {
  return { title: titleOf(call, connections), load: { calls: [call], connections, users: spreadUsers } };
}

function rateCell(rate: number): Cell {
  const requestsPerConnection = visit.length;
  const perSecond = rate / requestsPerConnection;
  return {
    title: `all calls, ${rate}/s`,
    load: { calls: visit, connections: { perSecond }, requestsPerConnection, users: spreadUsers },
  };
}

/** Every load once: by call, then by connections. */
export function cellsOf({ calls, connections, rates, pairs: hasPairs }: CellChoice): Cell[] {
  const grid = calls.flatMap((call) => connections.map((count) => gridCell(call, count)));
  const compared = hasPairs ? [gridCell('put', many), oneRow, gridCell('get', few), newConnections] : [];
  const all = [...grid, ...rates.map(rateCell), ...compared];
  return [...new Map(all.map((cell) => [cell.title, cell])).values()];
}
