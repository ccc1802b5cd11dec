/**
 * Loaded into a worker by `NODE_OPTIONS=--import`: profiles its main thread between two signals, and writes the samples per source file to
 * standard output.
 */
import { Session } from 'node:inspector/promises';

import { countSamples } from './samples.ts';

const session = new Session();
let isProfiling = false;

async function toggle(): Promise<void> {
  isProfiling = !isProfiling;
  if (isProfiling) {
    session.connect();
    await session.post('Profiler.enable');
    await session.post('Profiler.setSamplingInterval', { interval: 200 });
    await session.post('Profiler.start');
    return;
  }
  const { profile } = await session.post('Profiler.stop');
  session.disconnect();
  process.stdout.write(`samples ${JSON.stringify(countSamples(profile.nodes))}\n`);
}

process.on('SIGUSR2', () => void toggle());
