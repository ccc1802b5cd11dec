import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

const ticksPerSecond = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));

interface Ticks {
  readonly pid: number;
  readonly parent: number;
  readonly own: number;
  /** Of children that have ended and were waited for. */
  readonly ended: number;
}

/** The fields after the command's name, which may hold spaces; see proc_pid_stat(5). */
export function parseStat(pid: number, stat: string): Ticks {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [parent, user, system, endedUser, endedSystem] = [1, 11, 12, 13, 14].map((index) => Number(fields[index]));
  return {
    pid,
    parent: parent ?? 0,
    own: (user ?? 0) + (system ?? 0),
    ended: (endedUser ?? 0) + (endedSystem ?? 0),
  };
}

function allProcesses(): Ticks[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/u.test(name))
    .flatMap((name) => {
      try {
        return [parseStat(Number(name), readFileSync(`/proc/${name}/stat`, 'latin1'))];
      } catch {
        return []; // It has ended meanwhile.
      }
    });
}

/** CPU microseconds of these processes and their children so far, ended children included. In steps of a clock tick. */
export function cpuUsOf(roots: readonly number[]): number {
  const ticks = allProcesses().reduce((sum, { pid, parent, own, ended }) => {
    if (roots.includes(pid)) return sum + own + ended;
    return roots.includes(parent) ? sum + own : sum;
  }, 0);
  return (ticks * 1_000_000) / ticksPerSecond;
}
