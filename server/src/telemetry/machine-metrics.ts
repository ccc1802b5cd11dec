import { cpus, totalmem } from 'node:os';

import type { Metrics } from './metrics.ts';

/** Adds memory and CPU time of the machine, as far as the system reports them. */
export function readMachine(metrics: Metrics): void {
  try {
    const limit = process.constrainedMemory();
    // Without a limit, some systems report a very large one.
    const total = limit > 0 && limit < totalmem() ? limit : totalmem();
    metrics.set('messenger_machine_memory_bytes', total, 'total');
    metrics.set('messenger_machine_memory_bytes', Math.min(total, process.availableMemory()), 'available');
    const times = cpus().map((cpu) => cpu.times);
    const idle = times.reduce((sum, one) => sum + one.idle, 0);
    const busy = times.reduce((sum, { user, nice, sys, irq }) => sum + user + nice + sys + irq, 0);
    metrics.set('messenger_machine_cpu_seconds_total', busy / 1_000, 'busy');
    metrics.set('messenger_machine_cpu_seconds_total', idle / 1_000, 'idle');
  } catch {
    // For example too many open files: a measurement must not end the process.
  }
}
