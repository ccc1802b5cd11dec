import type { Config } from '../config.ts';
import type { Listening } from '../doctor/exposure.ts';

/** Where the server of this configuration listens, for what is said about access from other machines. */
export function listeningOf({ server, metrics }: Config): Listening {
  const hasListener = metrics.enabled && metrics.port !== undefined;
  return {
    host: server.host,
    metricsHost: hasListener ? metrics.host : undefined,
    hasToken: metrics.token !== undefined,
  };
}
