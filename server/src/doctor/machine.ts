import type { Endpoint } from '../db/endpoint.ts';
import { isLoopback } from '../lib/loopback.ts';
import { guideMemoryBytes } from '../tuning/memory.ts';
import type { Machine } from '../tuning/machine.ts';
import type { Storage } from '../tuning/profile.ts';

/** What is known of the machine of a database server. What is not known is not judged. */
export interface KnownMachine {
  readonly memoryBytes?: number | undefined;
  /** Whether its part of the memory is a guess of ours: then half of what it asks for will do. */
  readonly isGuess?: boolean;
  readonly cpus?: number | undefined;
  readonly storage?: Storage | undefined;
}

export interface MachineFacts {
  /** What the operator says, which counts more than what is seen. */
  readonly given: KnownMachine;
  /** The machine that doctor runs on. */
  readonly detected: Machine;
  /** Our own servers: they have the settings of the table, for any machine. */
  readonly isEmbedded: boolean;
  /** All database servers of the configuration. */
  readonly endpoints: readonly Endpoint[];
}

/** Of a server that is elsewhere, only what was given is known. Those that are here share the memory with each other and us. */
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

/** Reached by a Unix socket, or over the loopback. So is a tunnel to another machine: the flags are for that. */
function isHere({ host }: Endpoint): boolean {
  return host.startsWith('/') || isLoopback(host);
}
