import { describeFailure } from '../db/errors.ts';
import type { Endpoint } from '../db/endpoint.ts';
import { errorCode } from '../lib/error-code.ts';
import { fail, type Finding, type ServerPlace } from './finding.ts';

/** Advice for a failed connection: by SQLSTATE, by the error code of the socket or of TLS, by the driver's message. */
const remedies: readonly (readonly [signs: RegExp, remedy: string])[] = [
  [
    /28P01/u,
    'The password is wrong, or no longer valid (`valid until`): correct DB_{role}_PASSWORD, or on the primary: `alter role {user} password …`.',
  ],
  [
    /client password must be a (?:non-empty )?string/u,
    'The server asks for a password, and none is set: DB_{role}_PASSWORD, or a file with it in DB_{role}_PASSWORD_FILE.',
  ],
  [/not permitted to log in/u, 'On the primary: `alter role {user} login`.'],
  [/role .* does not exist/u, 'Correct DB_{role}_USER, or on the primary: `create role {user} login password …`.'],
  [/permission denied for database/u, 'On the primary: `grant connect on database {database} to {user}`.'],
  [
    /permission denied for function (?<name>\w+)/u,
    'A default right of everybody was revoked. On the primary, in {database}: `grant execute on function {name} to {user}`.',
  ],
  [
    /not currently accepting connections/u,
    'On the primary, in another database: `alter database {database} allow_connections true`.',
  ],
  [
    /too many connections for role/u,
    'On the primary: `alter role {user} connection limit -1`, or close what holds its connections.',
  ],
  [
    /too many connections for database/u,
    'On the primary: `alter database {database} connection limit -1`, or close what holds its connections.',
  ],
  [
    /28000/u,
    'Allow {user} in pg_hba.conf of that server, with TLS if it asks for it (DB_{role}_TLS=require), and `select pg_reload_conf()`.',
  ],
  [/3D000/u, 'Correct DB_{role}_NAME, or on the primary: `create database {database} owner {user}`.'],
  [
    /53300/u,
    'All connections are taken. As superuser: `select application_name, count(*) from pg_stat_activity group by 1` says by whom; close what is not needed, or raise max_connections or the limit of the role.',
  ],
  [
    /57P03/u,
    'The server is starting, stopping or recovering: its log says how far it is. A standby needs hot_standby = on.',
  ],
  [/does not support SSL/u, 'Set ssl = on with a certificate on that server, or DB_{role}_TLS=disable.'],
  [
    /CERT_HAS_EXPIRED|certificate has expired/u,
    'Its certificate, or that of its authority, has expired: renew it; on PostgreSQL, `select pg_reload_conf()` takes the new one.',
  ],
  [
    /CERT_NOT_YET_VALID|certificate is not yet valid/u,
    'Its certificate is not valid yet: the clock of this machine is behind, or the certificate starts later.',
  ],
  [
    /CERT|SELF_SIGNED|ALTNAME|certificate|UNABLE_TO/u,
    'The certificate is not accepted: name its authority in DB_{role}_TLS_CA, and the server as the certificate does in DB_{role}_HOST.',
  ],
  [/ENOTFOUND|EAI_AGAIN/u, 'The host name is unknown: correct DB_{role}_HOST, or the name service.'],
  [
    /EACCES|EPERM/u,
    'Run doctor as the user who runs the databases, or as root: other users cannot access the folder of the socket.',
  ],
  [
    /EHOSTUNREACH|ENETUNREACH|ETIMEDOUT/u,
    'The host is unreachable: the machine is off, its address differs (DB_{role}_HOST), or a route or firewall blocks it.',
  ],
  [
    /ECONNRESET|terminated unexpectedly/u,
    'It closes connections at once: no PostgreSQL listens there (DB_{role}_PORT), a proxy has no server behind it, or the server is stopping.',
  ],
  [
    /ECONNREFUSED|ENOENT/u,
    'Nothing listens there: start it (listen_addresses, port), or correct DB_{role}_HOST and DB_{role}_PORT.',
  ],
  [
    /timeout/u,
    'It accepts connections and does not answer, or packets are lost: check whether its processes are frozen (`ps -o stat`), its disk hangs, or a firewall drops packets.',
  ],
];

/** The finding for a failed connection. */
export function explainNoAnswer(where: ServerPlace, { host, port, user, database }: Endpoint, error: unknown): Finding {
  const failure = describeFailure(error);
  const said = `${errorCode(error) ?? ''} ${failure}`;
  const [signs, remedy] = remedies.find(([one]) => one.test(said)) ?? [];
  const role = where === 'primary' ? 'WRITE' : 'READ';
  const advice = (remedy ?? 'Start it, or correct DB_{role}_*; `messenger config` prints them.')
    .replaceAll('{role}', role)
    .replaceAll('{user}', user)
    .replaceAll('{database}', database)
    .replaceAll('{name}', signs?.exec(said)?.groups?.['name'] ?? '');
  return fail({ check: 'reachable', where }, `${host}:${port}: ${failure}`, advice);
}
