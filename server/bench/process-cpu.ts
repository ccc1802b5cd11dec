import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

const ticksPerSecond = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));

interface ProcessTimes {
  readonly parent: number;
  /** In clock ticks. */
  readonly own: number;
  /** Of children that have ended and were reaped. */
  readonly ended: number;
}

/** The fields after the command's name, which may contain spaces; see proc_pid_stat(5). */
export function parseStat(stat: string): ProcessTimes {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [parent, user, system, endedUser, endedSystem] = [1, 11, 12, 13, 14].map((index) => Number(fields[index]));
  return { parent: parent ?? 0, own: (user ?? 0) + (system ?? 0), ended: (endedUser ?? 0) + (endedSystem ?? 0) };
}

function toUs(ticks: number): number {
  return (ticks * 1_000_000) / ticksPerSecond;
}

/** From its threads, in nanoseconds if the kernel provides them; else in clock ticks of 10 ms. */
function ownUs(pid: string, ticks: number): number {
  try {
    const threads = readdirSync(`/proc/${pid}/task`);
    const runNs = threads.map((id) =>
      Number(readFileSync(`/proc/${pid}/task/${id}/schedstat`, 'latin1').split(' ')[0]),
    );
    return runNs.reduce((sum, ns) => sum + ns, 0) / 1_000;
  } catch {
    return toUs(ticks);
  }
}

function usOf(pid: string, roots: ReadonlySet<number>): number {
  try {
    const { parent, own, ended } = parseStat(readFileSync(`/proc/${pid}/stat`, 'latin1'));
    if (roots.has(Number(pid))) return ownUs(pid, own) + toUs(ended);
    return roots.has(parent) ? ownUs(pid, own) : 0;
  } catch {
    return 0; // It has ended in the meantime.
  }
}

/** CPU microseconds of these processes and their children so far, including ended children. */
export function cpuUsOf(roots: readonly number[]): number {
  const wanted = new Set(roots);
  return readdirSync('/proc')
    .filter((name) => /^\d+$/u.test(name))
    .reduce((sum, pid) => sum + usOf(pid, wanted), 0);
}

/** CPU microseconds of a process's main thread so far. */
export function mainThreadUsOf(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/task/${pid}/schedstat`, 'latin1').split(' ')[0]) / 1_000;
}

/** CPU microseconds of the whole machine so far, including time stolen by its host. */
export function machineBusyUs(): number {
  const [total = ''] = readFileSync('/proc/stat', 'latin1').split('\n', 1);
  const [, user = 0, nice = 0, system = 0, , , irq = 0, softIrq = 0, steal = 0] = total.split(/ +/u).map(Number);
  return toUs(user + nice + system + irq + softIrq + steal);
}
