import { findListener, readProcesses, treeOf } from './process-table.ts';

/** CPU in milliseconds since the processes began; only differences mean anything. */
export interface SystemCpu {
  readonly serverCpuMs: number;
  readonly databasesCpuMs: number;
}

/** Looks at the system under test once, now. undefined when it has gone. */
export type LookAtSystem = () => SystemCpu | undefined;

/** The system by the process at its top. */
export function systemOf(pid: number): LookAtSystem {
  return () => {
    const tree = treeOf(pid, readProcesses());
    if (tree.length === 0) return undefined;
    const sum = (isDatabase: boolean): number =>
      tree.filter(({ name }) => (name === 'postgres') === isDatabase).reduce((all, { cpuMs }) => all + cpuMs, 0);
    return { serverCpuMs: sum(false), databasesCpuMs: sum(true) };
  };
}

/** The system by the port of this machine that it listens on; undefined where that cannot be seen. */
export function systemOn(port: number): LookAtSystem | undefined {
  const pid = findListener(port, readProcesses());
  return pid === undefined ? undefined : systemOf(pid);
}
