/** When people act. Each act is due at a time that does not depend on answers: an open model. */

/** Means of exponential distributions. */
const meanMs = { send: 20_000, look: 10_000, leave: 60_000 } as const;

/** Ranges of uniform distributions: how long a person is away, and needs to read what has arrived. */
const rangeMs = { away: [2_000, 10_000], read: [500, 2_000] } as const;

/** A person types before each message. */
export const typingMs = 2_000;

/** Share of sends that are read back by REST. */
export const readBackShare = 0.2;

/** Share of people who look at what is new, in place of any conversation. */
export const newsShare = 0.5;

export function untilNext(act: keyof typeof meanMs, random: () => number): number {
  return -meanMs[act] * Math.log(1 - random());
}

export function lasting(what: keyof typeof rangeMs, random: () => number): number {
  const [least, most] = rangeMs[what];
  return least + random() * (most - least);
}
