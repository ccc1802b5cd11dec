/**
 * What a request costs a worker's process, in CPU time, without what is behind `Users`; beside the least that Fastify can
 * do for the same body. `node server/bench/http-cost.ts`: half a minute, both cores.
 *
 * `--sides 'bare,messenger'` takes some of them. All sides are driven in turn by one client, so that what the machine does
 * meanwhile hits them alike. `--prof <side>` writes a CPU profile of that side into the working folder.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

import type { Order } from './http-client.ts';
import { sideNames, sides, type Side } from './http-cost-sides.ts';

const { values: flags } = parseArgs({
  options: {
    requests: { type: 'string', default: '30000' },
    rounds: { type: 'string', default: '7' },
    prof: { type: 'string' },
    sides: { type: 'string', default: sideNames.join() },
  },
});
const requests = Number(flags.requests);
const rounds = Number(flags.rounds);

interface Contender {
  readonly side: Side;
  readonly server: ChildProcess;
  readonly port: number;
  /** One a round, in microseconds per request. */
  readonly cpu: number[];
}

async function start(side: Side): Promise<Contender> {
  const server = fork(join(import.meta.dirname, 'http-cost-server.ts'), [side], {
    execArgv: flags.prof === side ? ['--cpu-prof'] : [],
  });
  const port = Number(await hear(server));
  return { side, server, port, cpu: [] };
}

/** Its next message. Rejects when it ends instead. */
async function hear(child: ChildProcess): Promise<unknown> {
  const { promise, resolve, reject } = Promise.withResolvers<unknown>();
  const onExit = (): void => reject(new Error(`${child.spawnargs.slice(1).join(' ')} ended`));
  child.once('message', resolve).once('exit', onExit);
  return await promise.finally(() => child.off('message', resolve).off('exit', onExit));
}

async function cpuOf({ server }: Contender): Promise<number> {
  server.send('How much so far?');
  return Number(await hear(server));
}

async function drive(client: ChildProcess, contender: Contender): Promise<void> {
  const { request, status } = sides[contender.side];
  const order: Order = { port: contender.port, connections: 64, requests, request, status };
  const before = await cpuOf(contender);
  client.send(order);
  await hear(client);
  contender.cpu.push(((await cpuOf(contender)) - before) / requests);
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

const client = fork(join(import.meta.dirname, 'http-client.ts'));
const contenders: Contender[] = [];
for (const side of sideNames.filter((name) => flags.sides.split(',').includes(name)))
  contenders.push(await start(side));
for (const contender of contenders) await drive(client, contender);
for (const contender of contenders) contender.cpu.length = 0; // That was to warm up.
for (let round = 0; round < rounds; round += 1) {
  for (const contender of contenders) await drive(client, contender);
}
const least = median(contenders[0]?.cpu ?? []);
for (const { side, cpu } of contenders) {
  const spread = `${Math.min(...cpu).toFixed(1)}–${Math.max(...cpu).toFixed(1)}`;
  const ratio = (median(cpu) / least).toFixed(2);
  console.log(`${side.padEnd(24)} ${median(cpu).toFixed(1)} µs (${spread})  ${ratio} × bare`);
}
for (const { server } of contenders) server.disconnect();
client.disconnect();
