/** Sends requests when they are due, regardless of earlier answers: this creates overload. */
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

export interface LoadOptions {
  readonly port: number;
  /** The bytes of one request. Its answer must end with `}` and arrive in one piece. */
  readonly request: string;
  readonly perSecond: number;
  /** The load before the measurement: the first queue must be detected before it can be reduced. */
  readonly onsetSeconds: number;
  readonly seconds: number;
  /** Each user sends once a second, and waits for `Retry-After` after a 503; else users ignore it. */
  readonly honourRetryAfter: boolean;
  /**
   * Default true: requests are sent when they are due, and latency counts from then; it takes a whole core. False: a timer sends them up to a
   * millisecond late, and latency counts from sending.
   */
  readonly spins?: boolean;
}

export interface Outcome {
  /** By status: milliseconds from when each request was due to its answer. */
  readonly latencies: ReadonlyMap<number, readonly number[]>;
  /** The same for requests due in the first `onsetSeconds`, which are in no other figure. */
  readonly onset: ReadonlyMap<number, readonly number[]>;
  /** Requests due after the onset, including those without an answer. */
  readonly sent: number;
  /** The maximum delay of this process: beyond some milliseconds the figures are its own. */
  readonly latestMs: number;
}

interface Connection {
  readonly socket: Socket;
  due: number;
  user: number;
}

/** More requests than any server queue holds are in flight before one has to wait here. */
const connectionsForMs = 300;
const fewestConnections = 1_000;
const answersWithinMs = 15_000;

export class OpenLoop {
  readonly #options: LoadOptions;
  readonly #free: Connection[] = [];
  readonly #waiting: { due: number; user: number }[] = [];
  readonly #latencies = new Map<number, number[]>();
  readonly #onset = new Map<number, number[]>();
  #onsetEnds = 0;
  /** `#nextWaiting` is the index of the first. */
  #nextWaiting = 0;
  /** By user: when it may send again. */
  readonly #notBefore: number[] = [];
  #sent = 0;
  #answered = 0;
  #latestMs = 0;

  constructor(options: LoadOptions) {
    this.#options = options;
  }

  async run(): Promise<Outcome> {
    const { onsetSeconds, seconds, perSecond, spins = true } = this.#options;
    const all = await this.#openAll(Math.max(fewestConnections, Math.ceil((perSecond * connectionsForMs) / 1_000)));
    this.#free.push(...all);
    const total = (onsetSeconds + seconds) * perSecond;
    const began = performance.now();
    this.#onsetEnds = began + onsetSeconds * 1_000;
    for (let next = 0; next < total;) {
      const now = performance.now();
      for (; next < total && began + (next / perSecond) * 1_000 <= now; next += 1) {
        this.#send(began + (next / perSecond) * 1_000, next % perSecond, now);
      }
      await (spins ? nextTurn() : sleep(1));
    }
    const patience = performance.now() + answersWithinMs;
    while (this.#answered < this.#sent && performance.now() < patience) await sleep(1);
    for (const { socket } of all) socket.destroy();
    const sent = this.#sent - [...this.#onset.values()].flat().length;
    return { latencies: this.#latencies, onset: this.#onset, sent, latestMs: this.#latestMs };
  }

  #send(wantedMs: number, user: number, now: number): void {
    const due = this.#options.spins === false ? now : wantedMs;
    if (this.#options.honourRetryAfter && (this.#notBefore[user] ?? 0) > due) return;
    this.#sent += 1;
    this.#latestMs = Math.max(this.#latestMs, now - wantedMs);
    const connection = this.#free.pop();
    if (connection === undefined) this.#waiting.push({ due, user });
    else this.#ask(connection, due, user);
  }

  #ask(connection: Connection, due: number, user: number): void {
    Object.assign(connection, { due, user });
    connection.socket.write(this.#options.request);
  }

  #hear(connection: Connection, answer: string): void {
    if (!answer.endsWith('}')) throw new Error(`not a whole answer: ${answer}`);
    const now = performance.now();
    const status = Number(answer.slice(9, 12));
    const byStatus = connection.due < this.#onsetEnds ? this.#onset : this.#latencies;
    const latencies = byStatus.get(status) ?? [];
    byStatus.set(status, latencies);
    latencies.push(now - connection.due);
    this.#answered += 1;
    if (status === 503) {
      const seconds = Number(/^retry-after: (\d+)\r$/imu.exec(answer)?.[1]);
      this.#notBefore[connection.user] = now + seconds * 1_000;
    }
    const next = this.#waiting[this.#nextWaiting];
    if (next === undefined) {
      this.#free.push(connection);
    } else {
      this.#nextWaiting += 1;
      this.#ask(connection, next.due, next.user);
    }
  }

  /** A few at a time: a server's accept queue is short. */
  async #openAll(count: number): Promise<Connection[]> {
    const all: Connection[] = [];
    while (all.length < count) {
      const some = Array.from({ length: Math.min(200, count - all.length) }, async () => this.#open());
      all.push(...(await Promise.all(some)));
    }
    return all;
  }

  async #open(): Promise<Connection> {
    const socket = connect(this.#options.port, '127.0.0.1').setNoDelay(true).setEncoding('latin1');
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    socket.once('connect', resolve).once('error', reject);
    await promise;
    const connection: Connection = { socket, due: 0, user: 0 };
    socket.on('data', (answer: string) => this.#hear(connection, answer));
    return connection;
  }
}

async function nextTurn(): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  setImmediate(resolve);
  await promise;
}
