/**
 * A process of silent clients that reconnect when they are closed: `node silent-clients.ts <port> <count> <per
 * second>`. Every second it reports the number of its connections to its parent.
 */
import { connect } from 'node:net';

const [port = 0, count = 0, perSecond = 0] = process.argv.slice(2).map(Number);
const ticksPerSecond = 20;
/** Each address of the loopback has its own ports. */
const addresses = 100;
let open = 0;
let opened = 0;

function openOne(): void {
  open += 1;
  opened += 1;
  const localAddress = `127.0.1.${1 + (opened % addresses)}`;
  const socket = connect({ port, host: '127.0.0.1', localAddress });
  socket.on('error', () => undefined);
  socket.on('close', () => (open -= 1));
  socket.resume();
}

setInterval(() => {
  for (let left = perSecond / ticksPerSecond; left > 0 && open < count; left -= 1) openOne();
}, 1_000 / ticksPerSecond);
setInterval(() => process.send?.({ open, opened }), 1_000);
process.on('disconnect', () => process.exit());
