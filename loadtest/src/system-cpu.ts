import { findListener, readProcesses, treeOf } from './process-table.ts';

/** CPU in milliseconds since the processes started; use differences. */
export interface SystemCpu {
  readonly serverCpuMs: number;
  readonly databasesCpuMs: number;
}

/** Reads the CPU of the system under test; undefined when it has ended. */
export type LookAtSystem = () => SystemCpu | undefined;

/** By the root of its process tree. */
export function systemOf(pid: number): LookAtSystem {
  return () => {
    const tree = treeOf(pid, readProcesses());
    if (tree.length === 0) return undefined;
    const sum = (isDatabase: boolean): number =>
      tree.filter(({ name }) => (name === 'postgres') === isDatabase).reduce((all, { cpuMs }) => all + cpuMs, 0);
    return { serverCpuMs: sum(false), databasesCpuMs: sum(true) };
  };
}

/** By its local port; undefined when its processes are not visible. */
export function systemOn(port: number): LookAtSystem | undefined {
  const pid = findListener(port, readProcesses());
  return pid === undefined ? undefined : systemOf(pid);
}
