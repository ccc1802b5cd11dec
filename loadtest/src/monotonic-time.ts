/** Milliseconds of the system's monotonic clock: the same in all processes of the machine. */
export function hrtimeMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
