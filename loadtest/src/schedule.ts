/** The arrivals of users, in an open model. */

/**
 * Users that arrive at a constant rate, the first at the beginning: Gatling's `rampUsers(users) during seconds` and
 * `constantUsersPerSec(users / seconds)`.
 */
export interface Phase {
  readonly users: number;
  readonly seconds: number;
}

/** In milliseconds since the start of the run, ascending. */
export function arrivalTimes(phases: readonly Phase[]): Float64Array {
  const times = new Float64Array(phases.reduce((sum, { users }) => sum + users, 0));
  let index = 0;
  let startMs = 0;
  for (const { users, seconds } of phases) {
    for (let user = 0; user < users; user++) times[index++] = startMs + (user * seconds * 1000) / users;
    startMs += seconds * 1000;
  }
  return times;
}

/** `rate` users per second, rounded to whole users, at least one. */
export function steady(rate: number, seconds: number): Phase {
  return { users: Math.max(1, Math.round(rate * seconds)), seconds };
}

export function durationOf(phases: readonly Phase[]): number {
  return phases.reduce((sum, { seconds }) => sum + seconds, 0);
}
