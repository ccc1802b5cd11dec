import { runChildProcess } from '../src/process/child-process.ts';

/** A child of kept-child.test.ts: its settings say what it does. */
runChildProcess<string>(
  {
    send: (message) => void process.send?.(message, undefined, undefined, () => undefined),
    onMessage: (listener) => void process.on('message', listener),
    onDisconnect: (listener) => void process.on('disconnect', listener),
    exit: (code) => process.exit(code),
  },
  async (settings) => {
    if (settings === 'fail') throw new Error('on purpose');
    return {
      measure: () => ({ messenger_feed_commits_total: [{ labels: [], values: [5] }] }),
      stop: settings === 'never stop' ? async () => Promise.withResolvers<void>().promise : async () => undefined,
    };
  },
);
