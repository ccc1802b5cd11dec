/** Where sockets are opened, with the only subprotocol. */
export const socketPath = '/api/v1/socket';
export const subprotocol = 'messenger.v1';

/**
 * Why the server closes a socket. After a code from 4000 to 4499, clients connect again, after the `after_ms` of the last frame (`bye`), which
 * is also in the close reason: `{"reason":"draining","after_ms":812}`. After one from 4500 to 4999 they do not: the cause would be the same
 * again. The codes 1002, 1007, 1008 and 1009 of RFC 6455 (malformed frames, invalid UTF-8, too many fragments, too large) count as the latter.
 */
export const closeCodes = {
  draining: { code: 4000, title: 'The server is stopping' },
  moved: { code: 4001, title: 'Another process of the server has more time' },
  unavailable: { code: 4002, title: 'The server cannot serve this socket now' },
  slow_reader: { code: 4003, title: 'The client does not read the answers to its frames' },
  silent: { code: 4004, title: 'Nothing was received from the client for a minute, not even the answer to a ping' },
  first_frame_late: { code: 4005, title: 'The first frame did not come within ten seconds' },
  too_many_frames: { code: 4006, title: 'The client continued to send too many frames after `slow_down`' },
  not_text: { code: 4500, title: 'Frames are text, not binary' },
  not_json: { code: 4501, title: 'The frame is not a JSON object' },
  too_deep: { code: 4502, title: 'The JSON of the frame is nested too deeply' },
  invalid_frame: { code: 4503, title: 'The frame has an unknown `op` or an invalid field' },
  unexpected_frame: {
    code: 4504,
    title: 'The frame is not allowed at this point: the first one is `hello`, the only one',
  },
  unauthenticated: { code: 4505, title: 'There is no valid session, or it has ended' },
  account_disabled: { code: 4506, title: 'An administrator has disabled the account' },
  too_many_sockets: {
    code: 4507,
    title: 'The account has opened more sockets than it may: the longest silent one was closed',
  },
} as const;

export type CloseCode = keyof typeof closeCodes;

function isCloseCode(name: string): name is CloseCode {
  return Object.hasOwn(closeCodes, name);
}

export const closeCodeNames: readonly CloseCode[] = Object.keys(closeCodes).filter((name) => isCloseCode(name));
