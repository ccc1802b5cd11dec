import { AuditLog } from './accounts/audit-log.ts';
import { AuditReader } from './accounts/audit-reader.ts';
import { auditRoutes } from './accounts/audit-routes.ts';
import { sweepAudit } from './accounts/audit-writer.ts';
import { accountRoutes } from './accounts/account-routes.ts';
import { AccountReader } from './accounts/account-reader.ts';
import { AccountWriter } from './accounts/account-writer.ts';
import { Accounts } from './accounts/accounts.ts';
import { FailedSignIns } from './accounts/failed-sign-ins.ts';
import { createHasher } from './accounts/password-hasher.ts';
import { cacheMs } from './accounts/session-cache.ts';
import { SessionReader } from './accounts/session-reader.ts';
import { SessionWriter, sweepSessions } from './accounts/session-writer.ts';
import { Sessions } from './accounts/sessions.ts';
import { SignInThrottle } from './accounts/sign-in-throttle.ts';
import { SignIns } from './accounts/sign-ins.ts';
import { sweepThrottles, Throttles } from './accounts/throttles.ts';
import { opennessOf } from './account-options.ts';
import { primaryCheck } from './check-primary.ts';
import type { Config } from './config.ts';
import { createConversations } from './conversations/create-conversations.ts';
import { conversationRoutes } from './conversations/conversation-routes.ts';
import { MembershipReader } from './conversations/membership-reader.ts';
import { Memberships } from './conversations/memberships.ts';
import { sweepConversations } from './conversations/sweep-conversations.ts';
import type { Caller } from './db/caller.ts';
import type { Endpoint, Endpoints } from './db/endpoint.ts';
import { openDatabases, type Databases, type DatabasesOptions } from './db/databases.ts';
import { observeDbBy } from './db/observer.ts';
import type { PoolOptions, Role } from './db/pool.ts';
import { Sweeper } from './db/sweeper.ts';
import { SocketFeedLink } from './feed/feed-link.ts';
import { enforceAccess } from './http/access.ts';
import { apiDocs } from './http/api-docs.ts';
import { Connections, type ConnectionLimits } from './http/connections.ts';
import { Drain } from './http/drain.ts';
import { healthRoutes } from './http/health-routes.ts';
import { WrongTokens } from './http/wrong-tokens.ts';
import { createFrameRules } from './http/frame-rules.ts';
import { homePage } from './http/home-page.ts';
import { collectMethods } from './http/method-not-allowed.ts';
import { observeHttpBy } from './http/observer.ts';
import { shareCheck } from './http/readiness.ts';
import { createRateLimits } from './http/rate-limits.ts';
import { createHttpServer, type HttpServer } from './http/server.ts';
import { createSessionCookies } from './http/session-cookie.ts';
import type { Clock } from './lib/clock.ts';
import { isLoopback } from './lib/loopback.ts';
import { LoopLoad } from './lib/loop-load.ts';
import { Turn } from './lib/turn.ts';
import { withDeadline } from './lib/with-deadline.ts';
import { createMessages } from './messages/create-messages.ts';
import { eraseTraces } from './messages/erasures.ts';
import { messageRoutes } from './messages/message-routes.ts';
import { metricsRoute } from './http/metrics-route.ts';
import { opsRoutes } from './http/ops-routes.ts';
import { SocketFigures } from './sockets/socket-figures.ts';
import { socketRoute } from './sockets/socket-route.ts';
import { Sockets } from './sockets/sockets.ts';
import { AudienceReader } from './sync/audience-reader.ts';
import { Emitter } from './sync/ephemeral.ts';
import { HeadsReader } from './sync/heads-reader.ts';
import type { Domains, Rules } from './sync/services.ts';
import { Sync } from './sync/sync.ts';
import type { Measurement } from './telemetry/collection.ts';
import type { Watch } from './telemetry/live.ts';
import type { Log } from './telemetry/log.ts';
import { RepeatLog } from './telemetry/repeat-log.ts';
import { RequestLog } from './telemetry/request-log.ts';
import type { Tracing } from './telemetry/tracing.ts';
import { SlowStatements } from './telemetry/slow-statements.ts';
import { SyncFigures } from './telemetry/sync-figures.ts';
import { createWorkerMetrics } from './telemetry/worker-metrics.ts';
import { sweepKeys } from './users/keyed-inserts.ts';
import { UserReader } from './users/user-reader.ts';
import { userRoutes, type UserRoutes } from './users/user-routes.ts';
import { UserWriter } from './users/user-writer.ts';
import { Users } from './users/users.ts';

/** The settings of one worker; plain data, to be sent to another process. */
export interface AppSettings {
  readonly config: Config;
  readonly endpoints: Endpoints;
  /** The database cluster found at the start; default: that of the first primary that answers. */
  readonly systemIdentifier?: string | undefined;
  /** Whether the primary answered at the start. If not, writes are refused until `databases.topology.openForWrites`. */
  readonly isPrimaryReady?: boolean;
  /** This worker's maximum of connections to the write server, and to each read server. */
  readonly maxOpen: Readonly<Record<Role, number>>;
  /** Client connections of this worker. */
  readonly connectionLimits: ConnectionLimits;
  readonly worker: number;
  /** The Unix socket of the feed; undefined without realtime. */
  readonly feedPath?: string | undefined;
  readonly url: string;
  readonly version: string;
}

export interface AppServices {
  readonly log: Log;
  readonly clock: Clock;
  readonly random: () => number;
  /** Undefined when tracing is off. */
  readonly tracing?: Tracing | undefined;
  /** The metrics of all processes together. */
  readonly watch: Watch;
  /** Resolves when all other workers have dropped what they cached under this key; absent without other workers. */
  readonly forgetElsewhere?: ((key: string) => Promise<void>) | undefined;
}

const shedText = 'client connections were closed to make room';
const shedLine = { level: 'warn', one: shedText, many: shedText } as const;

const description =
  'Errors are RFC 9457 problems; switch on their `code`. A refused write has written nothing, except with `outcome_unknown`: ' +
  'it was sent, and the connection to the database ended before its answer.';

/** One worker's whole server, before it listens. */
export interface App {
  readonly http: HttpServer;
  readonly connections: Connections;
  readonly drain: Drain;
  /** `GET, POST /api/v1/users`, for the operator. */
  readonly routes: readonly string[];
  readonly databases: Databases;
  readonly slowStatements: SlowStatements;
  /** Undefined without realtime. */
  readonly sockets: Sockets | undefined;
  /** Drops what this worker cached under this key. */
  forget(key: string): void;
  /** This worker's metrics. */
  measure(): Measurement;
  /** Closes the pools; call it when the last request is answered. */
  close(): Promise<void>;
}

/** Configuration → pools → domains → routes: the whole server on one page. */
export async function createApp(settings: AppSettings, services: AppServices): Promise<App> {
  const { config } = settings;
  const { requests: mostPerSecond, slowRequestMs, slowStatementMs } = config.log;
  const requestLog = new RequestLog(services.log, { mostPerSecond, slowMs: slowRequestMs });
  const slowStatements = new SlowStatements(services.log, { slowMs: slowStatementMs, now: Date.now });
  const { requests, statements } = services.tracing ?? {};
  const metrics = config.metrics.enabled ? createWorkerMetrics() : undefined;
  const shedLog = new RepeatLog(services.log);
  const connections = new Connections({
    ...settings.connectionLimits,
    onShed: (reason, address) => shedLog.add({ ...shedLine, key: reason }, () => ({ reason, address })),
  });
  const loop = new LoopLoad(services.clock);
  const turn = new Turn(services.clock);
  // A client that sends the next request right after an answer is limited by latency: spacing would only slow it down.
  const pressure = (): number => loop.utilization * (1 - connections.eagerShare);
  const databases = await openDatabases(databaseOptions(settings), {
    ...services,
    turn,
    pressure,
    observer: observeDbBy([slowStatements, statements, metrics?.db].filter((one) => one !== undefined)),
    traces: statements,
  });
  const newRequestId = createRequestIds(settings.worker, services.random);
  const http = await createHttpServer({
    ...config.server,
    ...services,
    connections,
    turn,
    observer: observeHttpBy([requestLog, metrics?.http].filter((one) => one !== undefined)),
    traces: requests,
    newRequestId,
  });
  const readyLog = new RepeatLog(services.log);
  const sweeps = [sweepKeys, sweepThrottles, sweepSessions, sweepAudit(config.accounts.auditDays), sweepConversations];
  const sweeper = new Sweeper(databases.writePool, sweeps, services);
  const eraser = new Sweeper(databases.writePool, [eraseTraces], { ...services, work: 'erasures' });
  const accounts = createAccounts(settings, services, databases, eraser);
  enforceAccess(http, accounts);
  const methods = collectMethods(http);
  const drain = new Drain(connections);
  await apiDocs(http, { title: 'Messenger', version: settings.version, description });
  const hasOps = config.metrics.enabled && config.metrics.port === undefined;
  homePage(http, { ...settings, hasOps });
  healthRoutes(http, {
    isDraining: () => drain.turnsAway,
    check: shareCheck(primaryCheck(databases.writePool, readyLog), services.clock),
  });
  if (hasOps) await operatorRoutes(http, settings, services, () => drain.draining);
  accountRoutes(http, accounts);
  userRoutes(http, createUsers(settings, databases, accounts.accounts));
  auditRoutes(http, new AuditLog(new AuditReader(databases.reads)));
  const talk = createTalk(http, settings, services, { databases, accounts, turn, newRequestId });
  methods.close();
  await http.ready();

  const close = async (): Promise<void> => {
    metrics?.stop();
    await talk.close();
    for (const one of [requestLog, shedLog, readyLog, accounts.failures]) one.close();
    await sweeper.close();
    await eraser.close();
    await databases.close();
    slowStatements.close();
  };
  const measure = (): Measurement => ({
    metrics: metrics?.measure({ databases, connections, ...talk.figures }) ?? {},
    slowStatements: slowStatements.recent,
  });
  return {
    http,
    connections,
    drain,
    routes: methods.routes(),
    databases,
    slowStatements,
    sockets: talk.sockets,
    forget: talk.forget,
    measure,
    close,
  };
}

async function operatorRoutes(
  http: HttpServer,
  { config }: AppSettings,
  services: AppServices,
  isDraining: () => boolean,
): Promise<void> {
  const { watch } = services;
  const wrongTokens = new WrongTokens({ ...services, tell: watch.wrongToken });
  const forOperator = { ...watch, guard: { token: config.metrics.token, isOpen: false, wrongTokens } };
  metricsRoute(http, forOperator);
  await opsRoutes(http, { ...forOperator, isDraining });
}

interface TalkServices {
  readonly databases: Databases;
  readonly accounts: ReturnType<typeof createAccounts>;
  readonly turn: Turn;
  readonly newRequestId: () => string;
}

/** Conversations and messages, by requests and, with a feed, by sockets. */
function createTalk(http: HttpServer, settings: AppSettings, services: AppServices, talk: TalkServices) {
  const { databases, accounts, newRequestId } = talk;
  const messages = createMessages(databases, new Memberships(new MembershipReader(databases.reads)));
  const conversations = createConversations(databases, async (id, userId) => revoke(id, userId));
  messageRoutes(http, messages);
  conversationRoutes(http, conversations);
  const frameLog = new RepeatLog(services.log);
  const rules = createFrameRules(accounts.limits, frameLog, newRequestId);
  const domains = { ...accounts, ...messages, ...conversations };
  const forgetSessions = (userId: string): void => accounts.sessions.forget(userId);
  const sync = createSync(settings, services, { ...talk, domains, rules, forgetSessions });
  const onDefect = (err: unknown): void => services.log.error({ err }, 'a defect ended a socket');
  const sockets = sync && new Sockets({ ...settings.config.sockets, ...services, onDefect });
  if (sync !== undefined && sockets !== undefined)
    socketRoute(http, { sockets, cookies: accounts.cookies, open: sync.open });
  const forget = (key: string): void => {
    const [userId = '', conversationId] = key.split(' ');
    if (conversationId !== undefined) return sync?.left(conversationId, userId);
    forgetSessions(userId);
    sync?.forget(userId);
  };
  const revoke = createRevoke(forget, services);
  return {
    sockets,
    figures: { sockets: sockets?.figures ?? new SocketFigures(), sync: sync?.figures ?? new SyncFigures() },
    forget,
    close: async (): Promise<void> => {
      await sync?.close();
      frameLog.close();
    },
  };
}

/** A membership as a key to be forgotten: after the id of the user, or nothing, that of the conversation. */
function createRevoke(forget: (key: string) => void, { forgetElsewhere }: AppServices) {
  return async (conversationId: string, userId = ''): Promise<void> => {
    const key = `${userId} ${conversationId}`;
    forget(key);
    // A worker that does not acknowledge is frozen: the feed tells it of the change.
    if (forgetElsewhere !== undefined) await withDeadline(forgetElsewhere(key), cacheMs).catch(() => undefined);
  };
}

function createSync(
  { config, feedPath, worker }: AppSettings,
  { log, clock, random }: AppServices,
  {
    databases: { reads, writePool },
    turn,
    domains,
    rules,
    forgetSessions,
  }: Pick<TalkServices, 'databases' | 'turn'> & {
    readonly domains: Domains;
    readonly rules: Rules;
    readonly forgetSessions: (userId: string) => void;
  },
): Sync | undefined {
  if (feedPath === undefined) return undefined;
  return new Sync({
    ...domains,
    rules,
    clock,
    forgetSessions,
    heads: new HeadsReader(reads),
    audience: new AudienceReader(reads),
    emitter: new Emitter(writePool, turn),
    workerId: `${worker}-${random()}`,
    connect: (listener) => new SocketFeedLink(feedPath, listener, random),
    // A write may wait for its lock and for a connection.
    reachMs: 2 * config.writeDb.timeoutMs + 60_000,
    lagMs: config.db.readMaxLagMs,
    failed: (err) => log.error({ err }, 'a socket could not be told of a change'),
  });
}

function createUsers({ config }: AppSettings, { reads, writes }: Databases, holders: Accounts): UserRoutes {
  const access = opennessOf(config).usersApi === 'open' ? 'guest' : 'signedIn';
  return { users: new Users(new UserReader(reads), new UserWriter(writes)), holders, access };
}

/** The accounts of a worker, and what finds their sessions in requests. */
function createAccounts({ config }: AppSettings, services: AppServices, databases: Databases, eraser: Sweeper) {
  const { reads, writes, separateWrites, writePool } = databases;
  const { sessionIdleDays: idleDays, sessionMaxDays: maxDays } = config.accounts;
  const reader = new AccountReader(reads);
  const writer = new AccountWriter(separateWrites);
  const sessionWriter = new SessionWriter(writes, separateWrites, { idleDays, maxDays });
  const sessions = new Sessions(new SessionReader(reads), sessionWriter, services);
  const hasher = createHasher();
  const throttle = new SignInThrottle(new Throttles(writePool));
  const failures = new FailedSignIns(writePool, services);
  const isRegistrationOpen = opennessOf(config).registration === 'open';
  const isSecure = !isLoopback(config.server.host);
  return {
    accounts: new Accounts({ reader, writer, sessions, hasher, throttle, failures, erase: () => eraser.wake() }),
    signIns: new SignIns({ reader, writer, sessionWriter, sessions, hasher, throttle, failures, isRegistrationOpen }),
    sessions,
    failures,
    findSession: (token: string, caller: Caller) => sessions.find(token, caller),
    limits: createRateLimits(config.rateLimits, services.clock),
    cookies: createSessionCookies({ isSecure, maxAgeDays: maxDays }),
  };
}

function databaseOptions(settings: AppSettings): DatabasesOptions {
  const { config, endpoints } = settings;
  return {
    write: poolOptions('write', endpoints.write, settings),
    otherWrites: endpoints.otherWrites ?? [],
    systemIdentifier: settings.systemIdentifier,
    isOpenForWrites: settings.isPrimaryReady ?? true,
    reads: endpoints.reads.map((endpoint) => poolOptions('read', endpoint, settings)),
    readTimeoutMs: config.readDb.timeoutMs,
    batching: config.db.batching === 'on',
    maxLagMs: config.db.readMaxLagMs,
  };
}

function poolOptions<R extends Role>(
  role: R,
  endpoint: Endpoint,
  { config, maxOpen, worker }: AppSettings,
): PoolOptions<R> {
  const options = role === 'write' ? config.writeDb : config.readDb;
  return {
    role,
    endpoint,
    applicationName: `messenger ${role} worker ${worker}`,
    maxOpen: maxOpen[role],
    maxIdle: options.maxIdleConns,
    maxWaiting: config.db.maxWaiting,
    lifetimeMs: options.connMaxLifetimeMinutes * 60_000,
    idleTimeMs: config.db.connMaxIdleMinutes * 60_000,
    connectTimeoutMs: config.db.connectTimeoutMs,
    statementTimeoutMs: options.timeoutMs,
    prepare: config.db.preparedStatements === 'on',
    wrap: config.db.implicitTransactions === 'on',
  };
}

/** Short, unique among workers and restarts, and cheaper than a UUID. */
function createRequestIds(worker: number, random: () => number): () => string {
  const prefix = `${worker}-${Math.floor(random() * 36 ** 6)
    .toString(36)
    .padStart(6, '0')}`;
  let count = 0;
  return () => `${prefix}-${(count += 1).toString(36)}`;
}
