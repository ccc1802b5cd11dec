/** Bounds of each socket. */
export const socketLimits = {
  /** A message of a client: its bytes, fragments, and levels of JSON. */
  frameBytes: 65_536,
  fragments: 1_024,
  depth: 16,
  /** Unsent bytes above which a socket gets no more changes; and above which it is closed, because it does not read its answers either. */
  behindBytes: 262_144,
  answersBytes: 1_048_576,
  firstFrameMs: 10_000,
  pingMs: 25_000,
  silentMs: 60_000,
  /** Flooding clients stay away at least so long. */
  floodMs: 10_000,
  /** How long a client may take to answer a close frame. */
  closeMs: 5_000,
} as const;
