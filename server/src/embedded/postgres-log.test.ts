import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import { test } from 'node:test';

import { pino } from 'pino';

import { RepeatLog } from '../telemetry/repeat-log.ts';
import { parseLogLine, relayLogLine } from './postgres-log.ts';

/** Our log after the server has printed `raw`. */
function relayed(raw: string): string {
  let written = '';
  const sink = new Writable({ write: (chunk, _encoding, done) => done(void (written = String(chunk))) });
  const line = parseLogLine(raw);
  if (line !== undefined) {
    const log = pino({ level: 'debug' }, sink);
    relayLogLine(log, new RepeatLog(log), 'primary', line);
  }
  return written;
}

const levels = { debug: 20, warn: 40, error: 50 };

test('messages are parsed in our format and, before the settings are read, in the default one', () => {
  assert.deepEqual(parseLogLine('00000|42|postmaster|LOG:  starting PostgreSQL 18.4'), {
    severity: 'LOG',
    text: 'starting PostgreSQL 18.4',
    sqlstate: '00000',
    backend: 'postmaster',
  });
  assert.equal(parseLogLine('2026-11-23 18:35:26.123 UTC [42] FATAL:  no such setting')?.text, 'no such setting');
});

test('a continuation line is not a message', () => {
  assert.equal(parseLogLine("\t'Ada', ERROR:  'Lovelace'"), undefined);
});

for (const [raw, level] of [
  ['00000|1|checkpointer|LOG:  checkpoint starting', 'debug'],
  ['01000|1|autovacuum worker|WARNING:  oldest xmin is far in the past', 'warn'],
  ['58P01|1|postmaster|FATAL:  could not open file', 'warn'],
  ['XX000|1|startup|PANIC:  could not locate a valid checkpoint record', 'error'],
  ['08006|1|walreceiver|FATAL:  could not connect to the primary server', 'debug'],
  ['53100|1|walreceiver|FATAL:  could not write to file "pg_wal/xlogtemp.1": No space left on device', 'debug'],
  ['57P03|1|walsender|FATAL:  the database system is shutting down', 'debug'],
  ['53300|1|client backend|FATAL:  sorry, too many clients already', 'warn'],
  ['22P02|1|client backend|ERROR:  invalid input syntax for type uuid: "Ada"', 'debug'],
] as const)
  test(`"${raw}" is logged as ${level}`, () => {
    assert.match(relayed(raw), new RegExp(`"level":${levels[level]},`));
  });

test("a client's input is not logged, but the error code is", () => {
  const written = relayed('22P02|1|client backend|ERROR:  invalid input syntax for type uuid: "Ada"');
  assert.ok(written.includes('22P02'));
  assert.ok(!written.includes('Ada'));
});

test('lines that contain rows and statements are not logged', () => {
  for (const kind of ['DETAIL', 'STATEMENT', 'CONTEXT', 'QUERY', 'HINT'])
    assert.equal(relayed(`23505|1|client backend|${kind}:  Key (name)=(Ada) already exists.`), '');
});

test('a server without free connections refuses every client, in two lines', () => {
  const written: string[] = [];
  const log = pino({ level: 'debug' }, { write: (text: string) => void written.push(text) });
  const shortages = new RepeatLog(log);
  const line = parseLogLine('53300|1|client backend|FATAL:  sorry, too many clients already');
  assert(line !== undefined);
  for (let n = 0; n < 500; n += 1) relayLogLine(log, shortages, 'primary', line);
  shortages.close();
  assert.equal(written.length, 2);
  assert.match(written[1] ?? '', /"count":499/u);
});
