import type { CloseCode } from '@messenger/protocol/close-codes';

interface Leaving {
  end(code: CloseCode): void;
}

const everyMs = 20;

/** Sockets that end per step: 1,000 in a second, which other processes can welcome. */
const perStep = 20;

/** With more sockets, more end per step, so that all are told within this time. */
const mostMs = 10_000;

/** Ends sockets over a window, not at once: their clients connect elsewhere. Those that have ended meanwhile stay as they are. */
export function sendAway(sockets: readonly Leaving[], code: CloseCode): void {
  endSome(sockets, code, Math.max(perStep, Math.ceil((sockets.length * everyMs) / mostMs)));
}

function endSome(sockets: readonly Leaving[], code: CloseCode, count: number): void {
  for (const socket of sockets.slice(0, count)) socket.end(code);
  const rest = sockets.slice(count);
  if (rest.length > 0) setTimeout(() => endSome(rest, code, count), everyMs);
}
