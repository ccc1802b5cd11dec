import { messageOf } from '../lib/error-code.ts';
import type { Snapshot } from '../telemetry/metrics.ts';
import type { ChildMessage, ParentMessage } from './child-messages.ts';

/** The process that a child runs in. */
export interface ChildChannel<Settings> {
  send(message: ChildMessage): void;
  onMessage(listener: (message: ParentMessage<Settings>) => void): void;
  /** The supervisor is gone. */
  onDisconnect(listener: () => void): void;
  exit(code: number): void;
}

/** What runs in a child, until it is stopped. */
export interface Running {
  measure(): Snapshot;
  stop(): Promise<void>;
}

/** The life of a child: asks for its settings, runs, and ends on request, or when its supervisor is gone. */
export function runChildProcess<Settings>(
  channel: ChildChannel<Settings>,
  run: (settings: Settings) => Promise<Running>,
): { readonly stop: () => void } {
  let running: Promise<Running> | undefined;
  let isEnding = false;
  const fail = (error: unknown): void => {
    channel.send({ type: 'failed', reason: messageOf(error) });
    channel.exit(1);
  };
  const begin = async (settings: Settings): Promise<void> => {
    running = run(settings);
    await running;
    channel.send({ type: 'ready' });
  };
  const stop = (): void => {
    if (isEnding) return;
    isEnding = true;
    const stopped = running?.then(async (it) => it.stop()) ?? Promise.resolve();
    void stopped.then(
      () => channel.exit(0),
      () => channel.exit(1),
    );
  };
  channel.onMessage((message) => {
    if (message.type === 'begin') begin(message.settings).catch(fail);
    if (message.type === 'ping') channel.send({ type: 'pong' });
    if (message.type === 'measure')
      void running?.then((it) => channel.send({ type: 'measured', snapshot: it.measure() }));
    if (message.type === 'stop') stop();
  });
  channel.onDisconnect(stop);
  channel.send({ type: 'hello' });
  return { stop };
}
