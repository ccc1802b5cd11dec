import assert from 'node:assert/strict';
import { test } from 'node:test';

import { parse } from 'yaml';

import { loadConfig } from '../load-config.ts';
import { exitCodes, type Io } from './io.ts';
import { runProgram } from './program.ts';

interface Said {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

async function runMessenger(...args: readonly string[]): Promise<Said> {
  const said = { out: '', err: '' };
  const io: Io = {
    env: {},
    out: (text) => void (said.out += text),
    err: (text) => void (said.err += text),
    errIsTerminal: false,
    onSignal: () => undefined,
    exec: '',
    version: '0.0.0',
  };
  const code = await runProgram(args, io);
  return { code, ...said };
}

const tune = async (...flags: readonly string[]): Promise<Said> => runMessenger('tune', ...flags);

const guide = ['--memory', '1GB', '--cpus', '8', '--workers', '8', '--storage', 'ssd', '--durability', 'off'];

test('without flags, the machine is detected and printed', async () => {
  const { code, out } = await tune();
  assert.equal(code, exitCodes.ok);
  assert.match(out, /^# memory \d+[MG]B \(detected here\) · cpus \d+ \(detected here\) · storage [^\n]+$/mu);
  assert.match(
    out,
    /^# workers \d+ \((?:one per core|as many as the memory has connections for)\) · instances 1 · durability on$/mu,
  );
});

test("conf has a reason above each setting, and Messenger's options as comments", async () => {
  const { out } = await tune(...guide);
  const lines = out.split('\n');
  const settings = lines.filter((line) => /^[a-z]/u.test(line));
  assert.ok(settings.includes("shared_buffers = '256MB'"), out);
  for (const setting of settings) assert.match(lines[lines.indexOf(setting) - 1] ?? '', /^# .{10}/u, setting);
  assert.match(out, /^# DB_READ_MAX_OPEN_CONNS=6$/mu);
});

test("sql has a statement for each setting, and Messenger's options as comments", async () => {
  const { out } = await tune(...guide, '--format', 'sql');
  assert.match(out, /^alter system set shared_buffers = '256MB';$/mu);
  for (const line of out.split('\n')) assert.match(line, /^(?:$|-- |alter system set \w+ = '[^']*';$)/u);
});

test('without --workers, the number is limited by the memory for connections, with the reason', async () => {
  const { code, out } = await tune('--memory', '512MB', '--cpus', '64');
  assert.equal(code, exitCodes.ok);
  assert.match(out, /^# workers 3 \(as many as the memory has connections for\)/mu);
});

test('env has options that the server accepts, and settings that it ignores', async () => {
  const { out } = await tune(...guide, '--format', 'env');
  const assignments = out.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  const env = Object.fromEntries(
    assignments.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
  );
  const { config } = loadConfig({ flags: {}, env, file: undefined });
  assert.deepEqual([config.server.workers, config.writeDb.maxOpenConns, config.readDb.maxIdleConns], [8, 6, 3]);
  assert.equal(env['POSTGRES_SHARED_BUFFERS'], '256MB');
  assert.equal(env['POSTGRES_RANDOM_PAGE_COST'], '1.1');
});

test('compose is YAML with the command line of each server and the environment of Messenger', async () => {
  const { out } = await tune(...guide, '--format', 'compose');
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- Were it another shape, the assertions would fail.
  const { services } = parse(out) as {
    services: Record<string, { command: string[]; environment: Record<string, string> }>;
  };
  assert.deepEqual(services['primary']?.command.slice(0, 5), [
    'postgres',
    '-c',
    'max_connections=130',
    '-c',
    'shared_buffers=256MB',
  ]);
  assert.deepEqual(services['standby']?.command, services['primary'].command);
  assert.equal(services['messenger']?.environment['DB_WRITE_MAX_OPEN_CONNS'], '6');
});

test('every format has the same settings with the same values', async () => {
  const found = await Promise.all(
    (
      [
        ['conf', /^(\w+) = '([^']*)'$/gmu],
        ['sql', /^alter system set (\w+) = '([^']*)';$/gmu],
        ['env', /^POSTGRES_(\w+)=(.*)$/gmu],
        ['compose', /^ {6}- (\w+)=(.*)$/gmu],
      ] as const
    ).map(async ([format, line]) => {
      const { out } = await tune(...guide, '--format', format);
      return [...out.matchAll(line)].map(([, name = '', value]) => `${name.toLowerCase()}=${value}`);
    }),
  );
  assert.ok((found[0] ?? []).length > 25);
  for (const other of found) assert.deepEqual(other, found[0]);
});

test('compose limits each database server to the memory that it was tuned for', async () => {
  for (const [flag, limit] of [
    ['1GB', '1gb'],
    ['1.5GB', '1536mb'],
    ['16GB', '16gb'],
  ] as const) {
    const { out } = await tune('--memory', flag, '--cpus', '8', '--format', 'compose');
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- Were it another shape, the assertions would fail.
    const { services } = parse(out) as { services: Record<string, { mem_limit?: string }> };
    assert.deepEqual(
      ['primary', 'standby', 'messenger'].map((name) => services[name]?.mem_limit),
      [limit, limit, undefined],
    );
  }
});

test('an invalid value is refused with a valid example', async () => {
  const bad = [
    [['--memory', '16'], /must be a size from 256MB to 16TB, with its unit/u],
    [['--memory', '17TB'], /must be a size from 256MB to 16TB/u],
    [['--memory', '-1GB'], /must be a size/u],
    [['--memory', '8MB'], /must be a size from 256MB/u],
    [['--cpus', '0'], /must be a whole number from 1 to 1024/u],
    [['--workers', '257'], /must be a whole number from 1 to 256/u],
    [['--instances', 'many'], /must be a whole number from 1 to 1000/u],
    [['--storage', 'tape'], /Allowed choices are ssd, hdd/u],
    [['--durability', 'maybe'], /Allowed choices are on, off, standby/u],
    [['--format', 'json'], /Allowed choices are conf, sql, env, compose/u],
  ] as const;
  for (const [flags, reason] of bad) {
    const { code, out, err } = await tune(...flags);
    assert.deepEqual([code, out], [exitCodes.usage, ''], flags.join(' '));
    assert.match(err, reason);
  }
});

test('an unknown command is refused with the list of commands', async () => {
  const { code, out, err } = await runMessenger('nonsense');
  assert.deepEqual([code, out], [exitCodes.usage, '']);
  assert.match(err, /^error: unknown command 'nonsense'\. Commands: start, .*doctor\n/u);
});
