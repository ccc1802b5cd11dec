/** Whether `2026-01-28T12:00:00` is a time: `Date` reads the 30th of February as another day, and PostgreSQL has no year 0. */
export function existsInCalendar(seconds: string): boolean {
  const time = Date.parse(`${seconds}Z`);
  return !seconds.startsWith('0000') && Number.isFinite(time) && new Date(time).toISOString().startsWith(seconds);
}
