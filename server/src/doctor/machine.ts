import type { Endpoint } from '../db/endpoint.ts';
import { isLoopback } from '../lib/loopback.ts';
import { guideMemoryBytes } from '../tuning/memory.ts';
import type { Machine } from '../tuning/machine.ts';
import type { Storage } from '../tuning/profile.ts';

/** What is known about a database server's machine. Unknown values are not judged. */
export interface KnownMachine {
  readonly memoryBytes?: number | undefined;
  /** Whether its share of the memory is estimated: then half the recommended value is accepted. */
  readonly isGuess?: boolean;
  readonly cpus?: number | undefined;
  readonly storage?: Storage | undefined;
}

export interface MachineFacts {
  /** Given by the operator; overrides what is detected. */
  readonly given: KnownMachine;
  /** The machine that doctor runs on. */
  readonly detected: Machine;
  /** Embedded servers have the settings of the table, on any machine. */
  readonly isEmbedded: boolean;
  /** All database servers of the configuration. */
  readonly endpoints: readonly Endpoint[];
}

/** Of a remote server, only given values are known. Local ones share the memory with each other and with Messenger. */
export function machineOf(endpoint: Endpoint, { given, detected, isEmbedded, endpoints }: MachineFacts): KnownMachine {
  if (isEmbedded) return { memoryBytes: guideMemoryBytes, storage: 'ssd', ...given };
  if (!isHere(endpoint)) return given;
  const sharers = endpoints.filter(isHere).length + 1;
  return {
    ...detected,
    memoryBytes: detected.memoryBytes / sharers,
    isGuess: given.memoryBytes === undefined,
    ...given,
  };
}

/** Reached by a Unix socket or over the loopback. For a tunnel to another machine there are the flags. */
function isHere({ host }: Endpoint): boolean {
  return host.startsWith('/') || isLoopback(host);
}
