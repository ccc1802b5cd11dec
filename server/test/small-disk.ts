import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A separate file system in memory, of some megabytes. */
export interface SmallDisk {
  readonly folder: string;
  /** Fills it, so that this much room is left. */
  leave(bytes: number): Promise<void>;
  /** Frees what `leave` filled. */
  free(): Promise<void>;
  /** Resolves when it is done; `ro` waits until no file is open for writing. */
  remount(mode: 'ro' | 'rw'): Promise<void>;
  remove(): Promise<void>;
}

/** Why this machine does not allow mounting one, for a skip; false when it does. */
export const cannotMount = mountable() ? false : 'mounting a small file system needs root';

function mountable(): boolean {
  if (process.getuid?.() !== 0) return false;
  try {
    execFileSync('unshare', ['--mount', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/**
 * Mounts one that everybody may write to. Only for root; it can be used and removed after this process has left root.
 */
export async function mountSmallDisk(megabytes: number): Promise<SmallDisk> {
  const folder = await mkdtemp(join(tmpdir(), 'messenger-disk-'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m,mode=777`, 'tmpfs', folder]);
  // Keeps root, to mount; unmounts when our end of the pipe is closed in any way.
  const keep =
    'while read -r mode; do until mount -o remount,"$mode" "$0" 2>/dev/null; do sleep 0.01; done; echo; done; umount --lazy "$0"; rmdir "$0"';
  const keeper = spawn('sh', ['-c', keep, folder], { stdio: ['pipe', 'pipe', 'inherit'], detached: true });
  const filler = join(folder, 'filler');
  const free = async (): Promise<void> => rm(filler, { force: true });
  return {
    folder,
    free,
    leave: async (bytes) => {
      await free();
      const { bavail, bsize } = await statfs(folder);
      execFileSync('fallocate', ['--length', String(Math.max(1, bavail * bsize - bytes)), filler]);
    },
    remount: async (mode) => {
      const isDone = once(keeper.stdout, 'data');
      keeper.stdin.write(`${mode}\n`);
      await isDone;
    },
    remove: async () => {
      const gone = once(keeper, 'exit');
      keeper.stdin.end();
      await gone;
    },
  };
}
