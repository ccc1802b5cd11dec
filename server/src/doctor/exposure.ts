import { isLoopback } from '../lib/loopback.ts';
import { ok, warn, type Finding } from './finding.ts';

/** The options for the addresses of the server, and who needs a session. */
export interface Listening {
  readonly server: { readonly host: string };
  readonly usersApi: 'open' | 'members';
  readonly metrics: {
    readonly enabled: boolean;
    readonly host: string;
    readonly port: number | undefined;
    readonly token: string | undefined;
  };
}

const subject = { check: 'exposure', where: 'here' } as const;

/** What other machines can do without a password, one sentence each. */
export function findExposure({ server: { host }, usersApi, metrics }: Listening): string[] {
  const api = `HOST=${host} and USERS_API=open: every machine that reaches this port can read all users, and change those without an account`;
  const ops = `METRICS_HOST=${metrics.host}: every machine that reaches this port can read /metrics and /ops, because METRICS_TOKEN is not set`;
  const hasListener = metrics.enabled && metrics.port !== undefined;
  return [
    ...(isLoopback(host) || usersApi === 'members' ? [] : [api]),
    ...(!hasListener || metrics.token !== undefined || isLoopback(metrics.host) ? [] : [ops]),
  ];
}

export function checkExposure(listening: Listening): Finding {
  const found = findExposure(listening);
  if (found.length === 0) {
    const { server, usersApi } = listening;
    return ok(subject, isLoopback(server.host) ? `none (USERS_API=${usersApi})` : 'only with a session or a token');
  }
  const advice =
    'Let in only machines that you trust, by a firewall or a reverse proxy that asks for a password; or listen on 127.0.0.1, set USERS_API=members, and set METRICS_TOKEN.';
  return warn(subject, found.join('; '), advice);
}
