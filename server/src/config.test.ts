import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';

import { optionTable, type Config, type LoadedConfig } from './config.ts';
import { ConfigError, loadConfig } from './load-config.ts';
import { renderEffectiveConfig } from './commands/effective-config.ts';
import { flagOf, listOptions } from './lib/options.ts';
import type { OptionSources } from './lib/read-options.ts';

let folder = '';
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'messenger-config-'));
});
after(() => rmSync(folder, { recursive: true }));

function load(from: Partial<OptionSources> = {}): LoadedConfig {
  return loadConfig({ flags: {}, env: {}, file: undefined, ...from });
}

function yaml(content: string): string {
  const path = join(folder, 'messenger.yaml');
  writeFileSync(path, content);
  return path;
}

function problemsOf(from: Partial<OptionSources>): string[] {
  try {
    load(from);
  } catch (error) {
    if (error instanceof ConfigError) return error.message.split('\n');
    throw error;
  }
  return [];
}

function refuses(from: Partial<OptionSources>, reason: RegExp): void {
  assert.match(problemsOf(from).join(), reason);
}

const refusesYaml = (content: string, reason: RegExp): void => refuses({ file: yaml(content) }, reason);

describe("the guide's configuration", () => {
  test('has the names and defaults of the guide', () => {
    const { server, writeDb, readDb } = load().config;
    assert.equal(server.port, 8080);
    assert.equal(server.enablePrefork, true);
    const pool = { maxOpenConns: 100, maxIdleConns: 50, connMaxLifetimeMinutes: 10 };
    const common = { host: undefined, user: 'root', password: 'password', database: 'postgres', ...pool };
    assert.partialDeepStrictEqual(writeDb, { port: [5432], timeoutMs: 5_000, ...common });
    assert.partialDeepStrictEqual(readDb, { port: [5433], timeoutMs: 3_000, ...common });
  });

  test("reads the guide's variables", () => {
    const env = {
      PORT: '80',
      ENABLE_PREFORK: 'false',
      DB_WRITE_HOST: 'primary',
      DB_WRITE_PORT: '1',
      DB_WRITE_USER: 'u',
      DB_WRITE_PASSWORD: 'p',
      DB_WRITE_NAME: 'n',
      DB_WRITE_MAX_OPEN_CONNS: '25',
      DB_WRITE_MAX_IDLE_CONNS: '10',
      DB_WRITE_CONN_MAX_LIFETIME: '5',
      DB_READ_HOST: 'replica',
    };
    const { server, writeDb, readDb } = load({ env }).config;
    assert.partialDeepStrictEqual(server, { port: 80, enablePrefork: false });
    assert.partialDeepStrictEqual(writeDb, { host: ['primary'], port: [1], user: 'u', password: 'p', database: 'n' });
    assert.partialDeepStrictEqual(writeDb, { maxOpenConns: 25, maxIdleConns: 10, connMaxLifetimeMinutes: 5 });
    assert.deepEqual(readDb.host, ['replica']);
  });

  test("reads the guide's YAML", () => {
    const file = yaml(`
server: { port: "9090", enable_prefork: false }
write_db:
  host: primary
  port: 6432
  user: app
  password: secret
  database: messenger
  max_open_conns: 40
  max_idle_conns: 20
  conn_max_lifetime_minutes: 7
read_db:
  host: replica
`);
    const { server, writeDb, readDb } = load({ file }).config;
    assert.partialDeepStrictEqual(server, { port: 9090, enablePrefork: false });
    assert.partialDeepStrictEqual(writeDb, {
      host: ['primary'],
      port: [6432],
      maxOpenConns: 40,
      connMaxLifetimeMinutes: 7,
    });
    assert.deepEqual(readDb.host, ['replica']);
  });
});

test('a flag wins over a variable, that over the file, that over the default', () => {
  const file = yaml('server: { port: 3, host: "file", workers: 3 }');
  const { config, sources } = load({ flags: { '--port': '1' }, env: { PORT: '2', HOST: 'variable' }, file });
  assert.partialDeepStrictEqual(config.server, { port: 1, host: 'variable', workers: 3 });
  assert.partialDeepStrictEqual(sources, {
    'server.port': '--port',
    'server.host': 'HOST',
    'server.workers': `${file}: server.workers`,
    'server.maxBodyBytes': 'default',
  });
});

test('an empty variable counts as not set', () => {
  assert.equal(load({ env: { PORT: '' } }).config.server.port, 8080);
});

test('a loaded configuration cannot be changed', () => {
  const { config } = load();
  assert.throws(() => Object.assign(config.server, { port: 1 }), TypeError);
});

test('every problem is reported at once, with its source', () => {
  const file = yaml('server: { prot: 1, workers: many }\nwritedb: {}\nread_db: { port: 99999 }');
  const problems = problemsOf({
    flags: { '--port': '70000' },
    env: { ENABLE_PREFORK: 'maybe', LOG_LEVEL: 'loud' },
    file,
  });
  const expected = [
    /messenger\.yaml: server\.prot: unknown key/u,
    /messenger\.yaml: writedb: unknown section; there are server, write_db, read_db/u,
    /^--port: must be a whole number from 0 to 65535$/u,
    /^ENABLE_PREFORK: must be true or false$/u,
    /messenger\.yaml: server\.workers: must be a whole number/u,
    /messenger\.yaml: read_db\.port: must be a whole number from 1 to 65535$/u,
    /^LOG_LEVEL: must be one of: fatal, error/u,
  ];
  for (const form of expected)
    assert.ok(
      problems.some((line) => form.test(line)),
      `${String(form)} in\n${problems.join('\n')}`,
    );
});

test('an empty flag is refused, unlike an empty variable', () => {
  assert.deepEqual(problemsOf({ flags: { '--data-dir': '' } }), ['--data-dir: must not be empty']);
});

test('problems in a file are reported without its text, which may contain a password', () => {
  const told = problemsOf({ file: yaml('write_db:\n  password: "hunter2\n') }).join();
  assert.match(told, /messenger\.yaml: line \d+, column \d+: not valid YAML/u);
  assert.doesNotMatch(told, /hunter2/u);
});

const nonsense = ['1e3', '0x10', '1.5', '-1', '99999999999999999999', 'NaN', 'eight', '８'];
for (const text of nonsense) {
  test(`PORT=${JSON.stringify(text)} is refused`, () => {
    refuses({ env: { PORT: text } }, /^PORT: must be a whole number/u);
  });
}

test('a file that is missing, not YAML, or not a mapping is refused by name', () => {
  refuses({ file: join(folder, 'nothing.yaml') }, /nothing\.yaml: cannot be read: ENOENT/u);
  refuses({ file: '/dev/zero' }, /\/dev\/zero: cannot be read: it is a device/u);
  refusesYaml('server: [', /messenger\.yaml: .*line 1/u);
  refusesYaml('- a\n- b', /messenger\.yaml: must be a mapping/u);
  refusesYaml('server: 5', /messenger\.yaml: server: must be a mapping/u);
  refusesYaml('server: { port: { a: 1 } }', /server\.port: must be a single value/u);
  refusesYaml('server: { port: 1, port: 2 }', /messenger\.yaml: line 1, .*DUPLICATE_KEY/u);
  assert.deepEqual(problemsOf({ file: yaml('') }), []);
});

test('a file with aliases is refused: a few lines could expand without limit', () => {
  refusesYaml('server: { host: &a x }\nlog: { level: *a }', /messenger\.yaml: .*Alias/u);
});

test('a misspelt variable of ours is refused instead of ignored', () => {
  assert.deepEqual(problemsOf({ env: { DB_WRITE_MAX_OPEN_CONS: '5' } }), [
    'DB_WRITE_MAX_OPEN_CONS: there is no such option',
  ]);
});

test('contradictory settings are refused', () => {
  refuses({ env: { DB_READ_HOST: 'replica' } }, /^DB_READ_HOST: a read server needs a write server/u);
  refuses({ env: { DB_WRITE_USER: 'me' } }, /^DB_WRITE_USER: has no effect without DB_WRITE_HOST/u);
  const pool = { DB_WRITE_MAX_OPEN_CONNS: '5', DB_WRITE_MAX_IDLE_CONNS: '6' };
  refuses({ env: pool }, /^DB_WRITE_MAX_IDLE_CONNS: 6 idle connections are more than the 5/u);
  const tls = { DB_WRITE_HOST: 'h', DB_WRITE_TLS: 'require', DB_WRITE_TLS_CA: 'ca.pem' };
  refuses({ env: tls }, /^DB_WRITE_TLS_CA: is used only when DB_WRITE_TLS is verify-full/u);
});

test('a token that no client can send is refused, and not shown', () => {
  const shortest = 'x'.repeat(16);
  const bad = [
    'correct horse battery',
    'clé'.repeat(9),
    ` ${shortest}`,
    `${shortest}\n`,
    shortest.slice(1),
    'x'.repeat(1_025),
  ];
  for (const METRICS_TOKEN of bad) {
    const [problem = '', ...others] = problemsOf({ env: { METRICS_TOKEN } });
    assert.match(
      problem,
      /^METRICS_TOKEN: must be 16 to 1024 ASCII letters, .* without spaces; `openssl rand -hex 24` makes one$/u,
    );
    assert.deepEqual(others, []);
  }
  for (const METRICS_TOKEN of [shortest, 'aZ09-._~+/="!{}"', 'x'.repeat(1_024)])
    assert.deepEqual(problemsOf({ env: { METRICS_TOKEN } }), []);
});

test('several read servers have one port for all, or one each', () => {
  const readDbOf = (env: Readonly<Record<string, string>>): Config['readDb'] =>
    load({ env: { DB_WRITE_HOST: 'primary', ...env } }).config.readDb;
  assert.deepEqual(readDbOf({ DB_READ_HOST: 'a, b' }).host, ['a', 'b']);
  assert.deepEqual(readDbOf({ DB_READ_HOST: 'a,b', DB_READ_PORT: '1,2' }).port, [1, 2]);
  assert.deepEqual(readDbOf({ DB_READ_HOST: 'a,a', DB_READ_PORT: '1,2' }).host, ['a', 'a']);
  assert.deepEqual(readDbOf({ DB_READ_HOST: '::1,/run/pg' }).host, ['::1', '/run/pg']);
  const file = yaml('write_db: { host: primary }\nread_db: { host: [a, b], port: [1, 2] }');
  assert.partialDeepStrictEqual(load({ file }).config.readDb, { host: ['a', 'b'], port: [1, 2] });
});

const badLists: readonly (readonly [host: string, port: string, told: RegExp])[] = [
  ['a,,b', '1', /^DB_READ_HOST: must not contain empty items$/u],
  ['a,b,', '1', /^DB_READ_HOST: must not contain empty items$/u],
  ['a,b', '1,', /^DB_READ_PORT: must not contain empty items$/u],
  ['a,b', '1,70000', /^DB_READ_PORT: must be a whole number from 1 to 65535$/u],
  ['a,b', '1,2,3', /^DB_READ_PORT: 3 ports do not match 2 hosts; give one for all, or one for each$/u],
  ['a', '1,2', /^DB_READ_PORT: 2 ports do not match 1 host;/u],
  ['a,b,a', '1', /^DB_READ_HOST: a with port 1 is listed more than once$/u],
  ['a,b:5433', '1', /^DB_READ_HOST: b:5433 is not a host; ports belong in DB_READ_PORT/u],
  ['[::1]', '1', /^DB_READ_HOST: \[::1\] is not a host/u],
];
for (const [host, port, told] of badLists) {
  test(`read servers ${host} with ports ${port} are refused`, () => {
    const problems = problemsOf({ env: { DB_WRITE_HOST: 'primary', DB_READ_HOST: host, DB_READ_PORT: port } });
    assert.equal(problems.length, 1);
    assert.match(problems.join(), told);
  });
  test(`write servers ${host} with ports ${port} are refused`, () => {
    const problems = problemsOf({ env: { DB_WRITE_HOST: host, DB_WRITE_PORT: port } });
    assert.equal(problems.length, 1);
    assert.match(problems.join().replaceAll('WRITE', 'READ'), told);
  });
}

test('a lower maximum of open connections alone needs no setting for idle ones', () => {
  assert.deepEqual(problemsOf({ env: { DB_WRITE_MAX_OPEN_CONNS: '5' } }), []);
});

test('the printed configuration names sources and masks secrets', () => {
  const printed = renderEffectiveConfig(
    optionTable,
    load({ env: { DB_WRITE_HOST: 'h', DB_WRITE_PASSWORD: 'hunter2' } }),
  );
  assert.doesNotMatch(printed, /hunter2/u);
  assert.match(printed, /^write_db\.password +\*+ +DB_WRITE_PASSWORD$/mu);
  assert.match(printed, /^write_db\.host +h +DB_WRITE_HOST$/mu);
});

test('the printed configuration marks options without effect, and does not mask unset secrets', () => {
  const embedded = renderEffectiveConfig(optionTable, load());
  assert.match(embedded, /^write_db\.user +- +not used: the databases are embedded$/mu);
  assert.match(embedded, /^metrics\.token +- +default$/mu);
  assert.doesNotMatch(embedded, /\*/u);
  const own = renderEffectiveConfig(optionTable, load({ env: { DB_WRITE_HOST: 'h' } }));
  assert.match(own, /^embedded\.data_dir +- +not used: DB_WRITE_HOST names the databases$/mu);
  assert.match(own, /^write_db\.user +root +default$/mu);
});

describe('a secret in a file', () => {
  const host = { DB_WRITE_HOST: 'h' };

  function secretFile(content: string | Buffer): string {
    const path = join(folder, 'secret');
    writeFileSync(path, content);
    return path;
  }

  function passwordFrom(content: string): string {
    return load({ env: { ...host, DB_WRITE_PASSWORD_FILE: secretFile(content) } }).config.writeDb.password;
  }

  test('is the password, without one trailing newline', () => {
    assert.equal(passwordFrom('hunter2'), 'hunter2');
    assert.equal(passwordFrom('hunter2\n'), 'hunter2');
    assert.equal(passwordFrom('hunter2\r\n'), 'hunter2');
    assert.equal(passwordFrom(' hunter2 \n\n'), ' hunter2 \n');
  });

  test('is named as the source, and masked', () => {
    const loaded = load({ env: { ...host, DB_WRITE_PASSWORD_FILE: secretFile('hunter2') } });
    const printed = renderEffectiveConfig(optionTable, loaded);
    assert.match(printed, /^write_db\.password +\*+ +DB_WRITE_PASSWORD_FILE$/mu);
    assert.doesNotMatch(printed, /hunter2/u);
  });

  test('on the command line is refused without showing it, and the variables are named', () => {
    for (const { option } of listOptions(optionTable).filter((one) => one.option.secret === true)) {
      const flag = flagOf(option);
      const reason = 'other users of this machine can read the command line; give a secret by';
      assert.deepEqual(problemsOf({ env: host, flags: { [flag]: 'hunter2' } }), [
        `${flag}: ${reason} ${option.env} or ${option.env}_FILE`,
      ]);
    }
  });

  test('in the URL of a collector is refused, because `messenger config` shows URLs', () => {
    const env = { OTEL_EXPORTER_OTLP_ENDPOINT: 'https://user:hunter2@collector.internal' };
    assert.deepEqual(problemsOf({ env }), [
      'OTEL_EXPORTER_OTLP_ENDPOINT: must not contain a password; set it in OTEL_EXPORTER_OTLP_HEADERS',
    ]);
  });

  test('overrides the YAML file', () => {
    const env = { ...host, DB_WRITE_PASSWORD_FILE: secretFile('from the secret') };
    const file = yaml('write_db: { password: from the file }');
    assert.equal(load({ env, file }).config.writeDb.password, 'from the secret');
  });

  test('beside the variable itself is refused', () => {
    const env = { ...host, DB_WRITE_PASSWORD: 'hunter2', DB_WRITE_PASSWORD_FILE: secretFile('hunter2') };
    assert.deepEqual(problemsOf({ env }), [
      'DB_WRITE_PASSWORD_FILE: DB_WRITE_PASSWORD is also set; use only one of them',
    ]);
  });

  test('whose variable is empty counts as not set', () => {
    const env = { ...host, DB_WRITE_PASSWORD: 'hunter2', DB_WRITE_PASSWORD_FILE: '' };
    assert.equal(load({ env }).config.writeDb.password, 'hunter2');
  });

  test('that is unusable is reported by its option and path, without its content', () => {
    const unusable = [
      [join(folder, 'nothing'), /nothing cannot be read \(ENOENT\)$/u],
      [folder, /is a folder$/u],
      ['/dev/null', /\/dev\/null is not a regular file$/u],
      ['bad\0path', /cannot be read \(ERR_INVALID_ARG_VALUE\)$/u],
    ] as const;
    for (const [path, reason] of unusable)
      assertRefused(problemsOf({ env: { ...host, DB_WRITE_PASSWORD_FILE: path } }), reason);
    const useless = [
      ['', /secret is empty$/u],
      ['\n', /secret is empty$/u],
      [`hunter2${'x'.repeat(70_000)}`, /secret has 70007 bytes; a secret has at most 65536$/u],
      [Buffer.from('hunter2\xff', 'latin1'), /secret is not text in UTF-8$/u],
      ['hunter2\0', /secret is not text in UTF-8$/u],
    ] as const;
    for (const [content, reason] of useless)
      assertRefused(problemsOf({ env: { ...host, DB_WRITE_PASSWORD_FILE: secretFile(content) } }), reason);
  });

  function assertRefused(problems: readonly string[], reason: RegExp): void {
    assert.equal(problems.length, 1);
    assert.match(problems.join(), /^DB_WRITE_PASSWORD_FILE: /u);
    assert.match(problems.join(), reason);
    assert.doesNotMatch(problems.join(), /hunter2/u);
  }

  test('is for secrets only', () => {
    assert.deepEqual(problemsOf({ env: { ...host, DB_WRITE_NAME_FILE: secretFile('x') } }), [
      'DB_WRITE_NAME_FILE: there is no such option',
    ]);
  });
});

test('a read pool of one connection is refused: the probe of the standby needs its own', () => {
  const only = { DB_READ_MAX_OPEN_CONNS: '1', DB_READ_MAX_IDLE_CONNS: '1' };
  refuses({ env: only }, /^DB_READ_MAX_OPEN_CONNS: .*\b2\b/u);
  assert.deepEqual(problemsOf({ env: { ...only, DB_READ_MAX_OPEN_CONNS: '2' } }), []);
});

test('DURABILITY=standby is refused if no commit would wait for a standby', () => {
  const env = { DURABILITY: 'standby' };
  refuses({ env: { ...env, MESSENGER_SYNCHRONOUS_COMMIT: 'off' } }, /^DURABILITY: standby requires/u);
  refuses({ env: { ...env, DB_WRITE_HOST: 'alone' } }, /^DURABILITY: standby requires a standby/u);
  assert.deepEqual(problemsOf({ env: { ...env, DB_WRITE_HOST: 'a,b' } }), []);
  assert.deepEqual(problemsOf({ env }), []);
});

test('an origin that no browser sends is refused, since it would never match', () => {
  for (const origin of 'https://app.example http://localhost:3000 capacitor://localhost http://[::1]:80 *'.split(' '))
    assert.deepEqual(load({ env: { CORS_ORIGINS: origin } }).config.server.corsOrigins, [origin]);
  for (const origin of 'app.example https://app.example/ https://App.example https://a.example/path https://'.split(
    ' ',
  ))
    assert.deepEqual(problemsOf({ env: { CORS_ORIGINS: origin } }), [
      `CORS_ORIGINS: ${origin} is not an origin such as https://app.example or http://localhost:3000, or *`,
    ]);
});

test('trusted proxies are addresses and subnets', () => {
  const env = { TRUSTED_PROXIES: '127.0.0.1, 10.0.0.0/8, ::1, fd00::/8' };
  const { trustedProxies } = load({ env }).config.server;
  assert.deepEqual(trustedProxies, ['127.0.0.1', '10.0.0.0/8', '::1', 'fd00::/8']);
  for (const wrong of ['proxy.internal', '10.0.0.0/33', '10.0.0.0/0', '::/129', '10.0.0.0/8/8', 'true', '1'])
    assert.deepEqual(problemsOf({ env: { TRUSTED_PROXIES: wrong } }), [
      `TRUSTED_PROXIES: ${wrong} is not an address or a subnet such as 10.0.0.0/8`,
    ]);
});
