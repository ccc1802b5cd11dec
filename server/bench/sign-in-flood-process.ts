/** Started by sign-in-flood.ts with port and guesses per second: guesses passwords until its parent disconnects; reports the statuses then. */
import { connect } from 'node:net';

const [port, perSecond] = process.argv.slice(2).map(Number);
const everyMs = 10;

/** Of the answers. */
const statuses: Record<string, number> = {};
let guesses = 0;

function count(status: string): void {
  statuses[status] = (statuses[status] ?? 0) + 1;
}

/** One guess, from an address of its own: all of 127.0.0.0/8 leads to this machine. */
function guess(number: number): void {
  const id = `${process.pid}-${number}`;
  const body = JSON.stringify({ username: `guessed-${id}`, password: `not the password ${id}` });
  const head = `POST /api/v1/sessions HTTP/1.1\r\nhost: bench\r\nconnection: close\r\ncontent-type: application/json`;
  const localAddress = `127.${1 + (number % 250)}.${Math.floor(number / 250) % 250}.${1 + (process.pid % 250)}`;
  const socket = connect({ port: port ?? 0, host: '127.0.0.1', localAddress }).setEncoding('latin1');
  socket.on('error', () => count('error'));
  socket.on('data', (text: string) => {
    count(text.slice(9, 12));
    socket.destroy();
  });
  socket.write(`${head}\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
}

const timer = setInterval(() => {
  for (let n = 0; n < ((perSecond ?? 0) * everyMs) / 1_000; n += 1) guess((guesses += 1));
}, everyMs);

process.once('message', () => {
  clearInterval(timer);
  process.send?.(statuses, () => process.exit());
});
process.on('disconnect', () => process.exit());
