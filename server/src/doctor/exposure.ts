import { isLoopback } from '../lib/loopback.ts';
import { ok, warn, type Finding } from './finding.ts';

/** Where the server listens. */
export interface Listening {
  readonly host: string;
  /** Of the listener of METRICS_PORT, when there is one. */
  readonly metricsHost: string | undefined;
  readonly hasToken: boolean;
}

const subject = { check: 'access from other machines', where: 'here' } as const;

/** What other machines may do, a sentence each: nothing asks them who they are. */
export function findExposure({ host, metricsHost, hasToken }: Listening): string[] {
  const api = `HOST=${host}: every machine that reaches this port can read and change all data, because there are no accounts`;
  const metrics = `METRICS_HOST=${metricsHost}: every machine that reaches this port can read /metrics and /ops, because METRICS_TOKEN is not set`;
  return [
    ...(isLoopback(host) ? [] : [api]),
    ...(metricsHost === undefined || hasToken || isLoopback(metricsHost) ? [] : [metrics]),
  ];
}

export function checkExposure(listening: Listening): Finding {
  const found = findExposure(listening);
  if (found.length === 0) return ok(subject, 'none, or with a token');
  const advice =
    'Let in only machines that you trust, by a firewall or a reverse proxy that asks for a password; or listen on 127.0.0.1, and set METRICS_TOKEN.';
  return warn(subject, found.join('; '), advice);
}
