/** Processes of this machine, from /proc. Empty on other systems than Linux. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

export interface ProcessEntry {
  readonly pid: number;
  readonly parent: number;
  /** At most 15 characters. */
  readonly name: string;
  /** User and system time, with that of ended children. */
  readonly cpuMs: number;
}

/** The unit of /proc/<pid>/stat: USER_HZ is 100 on every platform that Linux supports today. */
const millisecondsPerTick = 10;

export function readProcesses(): ReadonlyMap<number, ProcessEntry> {
  const found = pids().flatMap((pid) => {
    const entry = readEntry(pid);
    return entry === undefined ? [] : [[pid, entry] as const];
  });
  return new Map(found);
}

/** `root` and its descendants. */
export function treeOf(root: number, processes: ReadonlyMap<number, ProcessEntry>): ProcessEntry[] {
  const isBelow = (entry: ProcessEntry | undefined): boolean =>
    entry !== undefined && (entry.pid === root || isBelow(processes.get(entry.parent)));
  return [...processes.values()].filter(isBelow);
}

/**
 * The supervisor of the server on `port`: the topmost ancestor of the listener that runs the same program and is not an ancestor
 * of this process. undefined when it is not visible, such as another user's process.
 */
export function findListener(port: number, processes: ReadonlyMap<number, ProcessEntry>): number | undefined {
  const sockets = listeningSockets(port);
  const listener = pids().find((pid) => openSockets(pid).some((socket) => sockets.has(socket)));
  const own = new Set(ancestorsOf(process.pid, processes));
  let top = listener;
  for (const pid of listener === undefined ? [] : ancestorsOf(listener, processes)) {
    if (own.has(pid) || programOf(pid) !== programOf(listener)) break;
    top = pid;
  }
  return top;
}

function ancestorsOf(pid: number, processes: ReadonlyMap<number, ProcessEntry>): number[] {
  const entry = processes.get(pid);
  return entry === undefined ? [] : [pid, ...ancestorsOf(entry.parent, processes)];
}

function pids(): number[] {
  return list('/proc').map(Number).filter(Number.isSafeInteger);
}

/** proc(5): pid (name) state ppid … utime stime cutime cstime are fields 14 to 17; a name may hold anything. */
function readEntry(pid: number): ProcessEntry | undefined {
  const [, name, rest] = /^\d+ \((.*)\) (.*)$/su.exec(read(`/proc/${pid}/stat`)) ?? [];
  if (name === undefined || rest === undefined) return undefined;
  const fields = rest.split(' ').map(Number);
  const ticks = fields.slice(11, 15).reduce((sum, field) => sum + field, 0);
  return { pid, parent: fields[1] ?? 0, name, cpuMs: ticks * millisecondsPerTick };
}

/** Inodes. Local address, state 0A, and inode are fields 2, 4 and 10 of /proc/net/tcp. */
function listeningSockets(port: number): ReadonlySet<string> {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const lines = ['/proc/net/tcp', '/proc/net/tcp6'].flatMap((file) => read(file).split('\n'));
  const rows = lines.map((line) => line.trim().split(/\s+/u));
  const listening = rows.filter(([, local, , state]) => local?.endsWith(suffix) === true && state === '0A');
  return new Set(listening.map((row) => `socket:[${row[9]}]`));
}

function openSockets(pid: number): string[] {
  return list(`/proc/${pid}/fd`).map((descriptor) => link(`/proc/${pid}/fd/${descriptor}`));
}

function programOf(pid: number | undefined): string {
  return link(`/proc/${pid}/exe`);
}

/** Empty for ended processes and those of other users: processes come and go meanwhile. */
function orEmpty<Value>(look: () => Value, empty: Value): Value {
  try {
    return look();
  } catch {
    return empty;
  }
}

const read = (path: string): string => orEmpty(() => readFileSync(path, 'utf8'), '');
const list = (path: string): string[] => orEmpty(() => readdirSync(path), []);
const link = (path: string): string => orEmpty(() => readlinkSync(path), '');
