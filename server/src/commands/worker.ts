import { monotonicClock } from '../lib/clock.ts';
import { runWorkerProcess, type WorkerChannel, type WorkerProcess } from '../process/worker-process.ts';
import { createLog, isPretty } from '../telemetry/log.ts';
import { serve, type WorkerSettings } from '../worker.ts';

/** The process of one worker, which the supervisor starts; not a command for users. */
export function startWorkerProcess(
  channel: WorkerChannel<WorkerSettings> & { readonly errIsTerminal: boolean },
): WorkerProcess {
  return runWorkerProcess(channel, async (settings, supervisor) => {
    const { level, format } = settings.config.log;
    const log = createLog({
      level,
      name: `worker ${settings.worker}`,
      pretty: isPretty(format, channel.errIsTerminal),
    });
    try {
      return await serve(settings, { log, clock: monotonicClock, random: Math.random, ...supervisor });
    } catch (error) {
      log.error({ err: error }, 'the worker cannot serve');
      throw error;
    }
  });
}
