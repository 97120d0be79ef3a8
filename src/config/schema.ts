/**
 * Every setting of Parley: its key, kind, default, bounds and meaning. `docs/operations/settings.md` and `--help` are
 * generated from this file. In the program, durations are milliseconds and sizes are bytes.
 */
import { parseHostIssuers, parseProviders } from './identity-settings.ts';
import { laterSettings } from './later-settings.ts';
import {
  choice,
  duration,
  flag,
  fraction,
  integer,
  isHostOrNetwork,
  list,
  networks,
  optional,
  origins,
  size,
  structure,
  text,
} from './setting.ts';
import { uploadSettings } from './upload-settings.ts';

const port = String.raw`(?:\d{1,4}|[1-5]\d{4}|6[0-4]\d{3}|65[0-4]\d{2}|655[0-2]\d|6553[0-5])`;
const smtpUrl = new RegExp(
  String.raw`^smtps?://(?:[^\s/]*@)?(?:[\w.-]+|\[[\da-f:.]+\])(?::${port})?/?(?:\?\S*)?$`,
  'i',
);
const httpUrl = /^https?:\/\/\S+$/i;

export const schema = {
  role: choice(['chat', 'processing', 'all'], 'all', 'Parts of Parley that this process runs'),
  environment: choice(['development', 'production'], 'development', 'production turns the development mailbox off'),
  publicUrl: optional('URL at which browsers reach Parley; default http://localhost:<http.port>', {
    aliases: ['PUBLIC_URL'],
    pattern: httpUrl,
    expected: 'an http(s) URL',
  }),
  admins: list([], 'E-mail addresses of deployment admins; an account becomes one when its address is confirmed', {
    item: (text) => /^[^\s@]+@[^\s@]+$/.test(text),
    expected: 'a list of e-mail addresses',
  }),
  log: {
    level: choice(
      ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'],
      'info',
      'Lowest severity that is logged',
      {
        aliases: ['LOG_LEVEL'],
      },
    ),
    format: choice(['auto', 'json', 'pretty'], 'auto', 'json or pretty lines; auto: pretty on a terminal, else json'),
    bufferBytes: size('1MB', 'Log lines held in memory while the output is blocked; more are dropped and counted'),
    outageRepeat: duration(
      '1m',
      'Interval of the warning that another system (Redis, Postgres, SMTP …) is unavailable',
      {
        minMs: 1000,
      },
    ),
  },
  http: {
    host: text('0.0.0.0', 'Listen address of the chat role; with an embedded database the default is 127.0.0.1', {
      aliases: ['HOST'],
    }),
    port: integer(8080, 'Port of REST, WebSocket and the page', { max: 65_535, aliases: ['PORT'] }),
    allowedOrigins: origins('Origins besides publicUrl from which browsers may call the API; exact matches'),
    trustProxy: networks('CIDRs of proxies whose X-Forwarded-For header is trusted'),
    bodyBytes: size('1MB', 'Largest REST body'),
    headersMax: integer(100, 'Most headers of one request', { min: 1 }),
    headerBytes: size(
      '16kB',
      'Largest head of a request: its first line and all headers, including cookies of other applications',
    ),
    headersTimeout: duration('10s', 'Time for a client to send the headers of a request'),
    requestTimeout: duration('10s', 'Time for a client to send a whole request'),
    handlerTimeout: duration('10s', 'Time to answer a request'),
    keepAliveTimeout: duration(
      '72s',
      'Time that an unused connection stays open; longer than a proxy in front of Parley keeps it',
      {
        minMs: 1000,
      },
    ),
    idempotencyKeep: duration('24h', 'Time that an Idempotency-Key is remembered', { minMs: 60_000 }),
    connectionsMax: integer(50_000, 'Open TCP connections; more are refused', { min: 1 }),
  },
  metrics: {
    port: integer(0, 'Port that serves only /metrics; 0 serves it on the role’s own port', { max: 65_535 }),
    host: text('127.0.0.1', 'Listen address of metrics.port'),
  },
  drain: {
    timeout: duration('25s', 'Longest time from SIGTERM to exit'),
    window: duration('5s', 'Clients are told to reconnect to other instances, spread over this time'),
  },
  database: {
    url: optional('Postgres URL; if not set, role all runs an embedded Postgres', {
      secret: true,
      aliases: ['DATABASE_URL'],
      pattern: /^postgres(ql)?:\/\/\S+$/,
      expected: 'a postgres:// URL',
    }),
    embedded: { dir: text('data', 'Folder of the embedded Postgres and its files') },
    pooling: choice(
      ['session', 'transaction'],
      'session',
      'Mode of a pooler in front of Postgres, such as PgBouncer’s pool_mode; session without a pooler',
    ),
    poolSize: integer(10, 'Connections for ordinary queries', { min: 1, max: 500 }),
    lanes: integer(2, 'Commit connections: each appends batches of sends to the log', { min: 1, max: 16 }),
    statementTimeout: duration('5s', 'Longest statement'),
    lockTimeout: duration('500ms', 'Longest wait of a commit for the commit of another instance in the same room', {
      minMs: 10,
    }),
    acquireTimeout: duration('2s', 'Longest wait of a query for a free connection'),
    connectTimeout: duration('2s', 'Longest wait until a new connection is open'),
    queueMax: integer(5000, 'Queries waiting for a connection; more are refused', { min: 1 }),
    startupTimeout: duration('60s', 'Time that a start waits for the database'),
    restartWait: duration(
      '5s',
      'After a restart of Postgres, time for all instances to confirm that the log is complete; after that the log gets a new id',
    ),
    memoryDir: optional(
      'Folder for an instance’s record of the log, outside the volume of the database; if not set, a folder in the system’s temporary folder',
    ),
    memoryAge: duration('10m', 'Time that the record of a stopped instance counts', { minMs: 1000 }),
  },
  redis: {
    url: optional('Redis URL; needed for more than one instance', {
      secret: true,
      aliases: ['REDIS_URL'],
      pattern: /^rediss?:\/\/\S+$/,
      expected: 'a redis:// URL',
    }),
    cluster: choice(
      ['auto', 'on', 'off'],
      'auto',
      'Whether Redis is a cluster with sharded Pub/Sub; auto: detected at the start',
    ),
    prefix: text('parley', 'Prefix of every key and channel'),
    shards: integer(16, 'Channels over which rooms and users are spread', { min: 1, max: 4096 }),
    commandTimeout: duration('500ms', 'Longest Redis command'),
    probeInterval: duration('1s', 'Interval of end-to-end tests of the subscriber connection', { minMs: 50 }),
    probeTimeout: duration('3s', 'A subscriber connection is replaced if no test has succeeded for this long', {
      minMs: 100,
    }),
    publishQueueMax: integer(10_000, 'Hints waiting for Redis; more are dropped, and readers catch up from Postgres', {
      min: 1,
    }),
    failuresToOpen: integer(3, 'Consecutive failures of a rate counter after which each instance counts alone', {
      min: 1,
    }),
    probePauseMax: duration('4s', 'Longest pause between probes of the rate counters in Redis', { minMs: 1 }),
  },
  realtime: {
    helloTimeout: duration('10s', 'Time for a socket to send hello'),
    preAuthBytes: size('8kB', 'Largest frame before hello is accepted'),
    frameBytes: size('64kB', 'Largest frame'),
    fragmentsMax: integer(64, 'Fragments of one frame', { min: 1, max: 10_000 }),
    heartbeat: duration('20s', 'Interval of the server’s pings', { minMs: 50 }),
    pongTimeout: duration('20s', 'A socket is closed if no pong arrives for this long', { minMs: 50 }),
    queueBytes: size('1MB', 'Bytes waiting for a slow reader before it is closed with 4008'),
    queueEvents: integer(1000, 'Events waiting for a slow reader before it is closed with 4008', { min: 1 }),
    socketsPerUser: integer(20, 'Open sockets of one user on all instances together', { min: 1 }),
    roomsPerSocket: integer(500, 'Rooms that one socket follows', { min: 1 }),
    handshakesMax: integer(256, 'Hellos handled at once; more wait', { min: 1 }),
    handshakeQueueMax: integer(10_000, 'Hellos that may wait; while the queue is full, upgrades get 503', { min: 1 }),
    frozen: duration(
      '1500ms',
      'After the process was paused this long, a request is handled only if its client is still connected',
      {
        minMs: 500,
      },
    ),
    stall: duration(
      '5s',
      'After the process was paused this long, it reads revocations and memberships again before it delivers',
      {
        minMs: 1500,
      },
    ),
    headCheck: duration('2s', 'Interval at which the heads of followed rooms are compared with Postgres', {
      minMs: 50,
    }),
    cutOffAfter: duration(
      '5s',
      'An instance that has lost Postgres for this long, while others reach it, sends its clients to them',
      {
        minMs: 100,
      },
    ),
    answerTimeout: duration('10s', 'Time to answer a frame', { minMs: 100 }),
    membershipCheck: duration('2s', 'Interval at which membership changes of connected users are read', { minMs: 50 }),
    roomsCached: integer(20_000, 'Rooms kept in memory; rooms with connected readers count and always stay', {
      min: 1,
    }),
    membersCached: integer(500_000, 'Members kept in memory, over all rooms', { min: 1 }),
    recentEvents: integer(256, 'Newest events of a room kept in memory for resume', { min: 1 }),
    recentBytes: size('256kB', 'Bytes of newest events kept per room'),
    recentBytesTotal: size('256MB', 'Bytes of newest events kept for all rooms'),
    deliverySlice: integer(16, 'Sockets of one room that are written before other work runs', { min: 1 }),
    badFramesPerMinute: integer(20, 'Invalid frames per minute; one more closes the socket with 1008', { min: 1 }),
    inFlightPerSocket: integer(256, 'Frames of one socket handled at once; more wait unread', { min: 1 }),
    typingMax: integer(200, 'In rooms of more members nobody is shown who types', { min: 0 }),
  },
  presence: {
    grace: duration('15s', 'Somebody is shown as offline this long after their last socket has closed', { minMs: 500 }),
    watchMax: integer(500, 'People whose presence one socket watches, or one request asks for', { min: 1, max: 5000 }),
    statusMax: integer(100, 'Longest text of a custom status, in code points', { min: 1 }),
    recheck: duration(
      '30s',
      'Interval at which watched people are read again, and whether their watchers may still see them',
      { minMs: 100 },
    ),
  },
  resume: {
    maxEvents: integer(5000, 'Events replayed per room; a client further behind gets room.reset', { min: 1 }),
    pageEvents: integer(500, 'Events per page of a replay', { min: 1, max: 10_000 }),
    concurrency: integer(16, 'Replay queries at once', { min: 1 }),
  },
  message: {
    maxLength: integer(8000, 'Longest message, in code points', { min: 1, max: 100_000 }),
    sendQueueMax: integer(20_000, 'Sends that wait for their commit, and as many reactions; more are refused', {
      min: 1,
    }),
    batchMax: integer(512, 'Sends, or reactions of one room, per commit', { min: 1, max: 5000 }),
    perRoomMax: integer(2000, 'Sends that wait in one room, and as many reactions; more are refused', { min: 1 }),
    admission: duration(
      '500ms',
      'If the permission check takes longer than this, rights gained in that time are ignored and the send fails with unavailable',
      { minMs: 50 },
    ),
    sendTimeout: duration('8s', 'Time to answer a send'),
    reactionsMax: integer(50, 'Different reactions to one message', { min: 1, max: 1000 }),
    historyCacheBytes: size('64MB', 'Memory for the newest history pages'),
    streamIdle: duration('30s', 'A streamed message whose writer is silent for this long is finished for it', {
      minMs: 100,
    }),
    streamLifetime: duration('10m', 'A streamed message is finished after this time, whatever its writer does', {
      minMs: 1000,
    }),
    streamJudgeEvery: duration(
      '300ms',
      'Interval at which the growing text of a streamed message is judged and shown',
      {
        minMs: 10,
      },
    ),
    streamsPerUser: integer(5, 'Messages that one user streams at once', { min: 1, max: 1000 }),
  },
  ...laterSettings,
  room: {
    nameMax: integer(100, 'Longest room name, in code points', { min: 1 }),
    topicMax: integer(1000, 'Longest topic, in code points', { min: 1 }),
    membersMax: integer(100_000, 'Members of a room', { min: 2 }),
    dmMembersMax: integer(16, 'Members of a direct-message room', { min: 2 }),
    inviteLifetime: duration('7d', 'Default lifetime of an invite', { minMs: 1000 }),
    invitesMax: integer(1000, 'Valid invites of a room', { min: 1 }),
    pinsMax: integer(100, 'Pinned messages of a room', { min: 1, max: 10_000 }),
    mentionAllMax: integer(50, 'In rooms of up to this many members, everybody may use @here and @room', { min: 0 }),
    receiptsMax: integer(100, 'Rooms with more members get no receipt.updated', { min: 0 }),
    receiptsInterval: duration('500ms', 'Interval at which receipt.updated of one member is sent at most', {
      minMs: 50,
    }),
    unreadMax: integer(10_000, 'Unread messages of a room are counted up to this number; more show as this number', {
      min: 1,
    }),
    unreadTotal: integer(
      100_000,
      'Unread messages counted for one response, over all its rooms; with more, each room is counted up to its share',
      { min: 1 },
    ),
  },
  emojis: {
    max: integer(500, 'Custom emoji of the deployment', { min: 0, max: 100_000 }),
    imageBytes: size('256kB', 'Largest picture of a custom emoji'),
    sideMax: integer(512, 'Longest side of the picture of a custom emoji, in pixels', { min: 1, max: 16_384 }),
  },
  polls: {
    questionMax: integer(300, 'Longest question of a poll, in code points', { min: 1, max: 10_000 }),
    optionMax: integer(100, 'Longest option of a poll, in code points', { min: 1, max: 10_000 }),
    openMax: duration('365d', 'Longest time from a poll’s start to its closesAt', { minMs: 1000 }),
    closeCheck: duration('1s', 'Interval at which polls whose time is over are closed', { minMs: 50 }),
    batchMax: integer(500, 'Votes of one room that are stored together', { min: 1, max: 5000 }),
    votesWaitingMax: integer(20_000, 'Votes that wait to be stored; more are refused', { min: 1 }),
  },
  uploads: uploadSettings,
  limits: {
    messagesPerSecond: integer(10, 'Sends per second and socket', { min: 1 }),
    messagesBurst: integer(30, 'Burst of sends per socket', { min: 1 }),
    framesPerSecond: integer(50, 'Frames of any kind per second and socket', { min: 1 }),
    framesBurst: integer(200, 'Burst of frames of any kind per socket', { min: 1 }),
    typingPerSecond: integer(1, 'typing frames per second, socket and room', { min: 1 }),
    presencePerSecond: integer(2, 'presence and presence.watch frames per second and socket', { min: 1 }),
    presenceBurst: integer(20, 'Burst of presence and presence.watch frames per socket', { min: 1 }),
    votesPerMinute: integer(240, 'Votes in polls that one user gives, changes or takes back per minute', { min: 1 }),
    pinsPerMinute: integer(60, 'Messages that one user pins or unpins per minute', { min: 1 }),
    reactionsPerMinute: integer(120, 'Reactions that one user adds or removes per minute', { min: 1 }),
    exportsPerHour: integer(10, 'Data exports per hour and user', { min: 1 }),
    blocksPerUser: integer(1000, 'Users that one user can block', { min: 1 }),
    closeAfter: integer(200, 'Rate-limited frames within a minute after which a socket is closed with 4029', {
      min: 1,
    }),
    requestsPerMinute: integer(6000, 'REST requests per minute and address without a valid login', { min: 1 }),
    requestsPerDevice: integer(6000, 'REST requests per minute and session', { min: 1 }),
    requestsPerAccount: integer(12_000, 'REST requests per minute and account, over all its sessions', { min: 1 }),
    requestsPerAddress: integer(60_000, 'REST requests per minute and address with a valid login, over all users', {
      min: 1,
    }),
    withoutRedis: integer(4, 'Weight of one attempt while Redis is unavailable and each instance counts alone', {
      min: 1,
      max: 100,
    }),
    loginsPerMinute: integer(300, 'Logins, registrations and resets per minute and address', { min: 1 }),
    loginsPerAccount: integer(10, 'Failed logins per 15 minutes and typed name, per address or trusted device', {
      min: 1,
    }),
    codesPerAccount: integer(10, 'Wrong codes per 15 minutes and account, or trusted device', { min: 1 }),
    guestsPerMinute: integer(300, 'New guests per minute and address', { min: 1 }),
  },
  erasure: {
    poll: duration('5s', 'Interval at which unfinished erasures of other instances are looked for', { minMs: 50 }),
    claim: duration('20s', 'After this silence of an instance, another one takes over its erasure', { minMs: 500 }),
  },
  auth: {
    jwtSecret: optional(
      'Secret that signs Parley’s own tokens (HS256), at least 32 bytes; if not set, a key pair in the database (EdDSA)',
      {
        secret: true,
        aliases: ['JWT_SECRET'],
        pattern: /^[\s\S]{32,}$/,
        expected: 'at least 32 bytes',
      },
    ),
    accessTokenLifetime: duration('15m', 'Lifetime of an access token', { minMs: 1000 }),
    refreshTokenLifetime: duration('30d', 'A session ends if it is not refreshed for this long', { minMs: 1000 }),
    refreshGrace: duration('15s', 'Time that a rotated refresh token may be used again; later use revokes the session'),
    clockLeeway: duration('30s', 'Tolerance for the clocks of token issuers', { maxMs: 30_000 }),
    keyRotation: duration('90d', 'Interval at which a new signing key is created', { minMs: 60_000 }),
    keyOverlap: duration('15m', 'Time that a new signing key is published before it signs', { minMs: 1000 }),
    sealingKey: optional(
      'Secret that encrypts secrets in the database, at least 32 bytes; if not set: JWT_SECRET, a file beside the embedded database, or a row in the database',
      { secret: true, pattern: /^[\s\S]{32,}$/, expected: 'at least 32 bytes' },
    ),
    sessionsPerUser: integer(100, 'Sessions of one user; beyond it the least recently used one ends', { min: 1 }),
    stepUpLifetime: duration('5m', 'Time after a login or step-up in which sensitive changes need no new one', {
      minMs: 1000,
    }),
    deviceLifetime: duration('180d', 'A device that is unused for this long is no longer trusted'),
    hashConcurrency: integer(2, 'Passwords hashed at once', { min: 1, max: 64 }),
    hashQueueMax: integer(200, 'Passwords that wait to be hashed; more get 503', { min: 1 }),
    guests: { enabled: flag(true, 'Whether people may use Parley as guests') },
    registration: { enabled: flag(true, 'Whether people may create accounts') },
    setupLinkLifetime: duration('24h', 'Lifetime of the link that creates the first admin', { minMs: 1000 }),
    reservedUsernames: list(
      [
        'root admin administrator sysadmin superuser moderator moderators mod mods staff support help helpdesk security',
        'abuse official webmaster postmaster hostmaster noreply no-reply mailer-daemon anonymous nobody',
      ].flatMap((names) => names.split(' ')),
      'Usernames that cannot be registered, in any letter case, because they look official',
    ),
    oneTimeTokenLifetime: duration('1h', 'Lifetime of reset and verification links'),
    tokenCacheMax: integer(20_000, 'Verified access tokens kept in memory', { min: 1 }),
    providers: structure({}, 'OAuth and OIDC login providers, by name', parseProviders, { open: true, secret: true }),
    issuers: structure([], 'Host applications whose tokens are accepted', parseHostIssuers, { secret: true }),
    issuerKeys: {
      maxAge: duration('10m', 'Age at which the keys of an issuer are fetched again', { minMs: 1000 }),
      refetch: duration('2s', 'Shortest interval between fetches caused by unknown key ids', { minMs: 10 }),
      refetchBurst: integer(5, 'Burst of such fetches; beyond it unknown key ids are refused', {
        min: 1,
        max: 1000,
      }),
      waitingMax: integer(5000, 'Tokens that wait for the keys of an issuer; more get 503', { min: 1 }),
    },
    providerTimeout: duration('3s', 'Longest request to a login provider or key server', {
      minMs: 50,
      maxMs: 9000,
    }),
    providerFailuresToOpen: integer(3, 'Consecutive failures of such a server after which it gets only probes', {
      min: 1,
    }),
    providerProbePauseMax: duration('10s', 'Longest pause between probes of such a server', { minMs: 100 }),
    apiKeysMax: integer(100, 'Valid API keys of the deployment', { min: 1 }),
  },
  processing: {
    host: text('127.0.0.1', 'Listen address of the processing role; other than loopback it needs processing.token'),
    port: integer(8081, 'Port of the processing role', { max: 65_535 }),
    url: list([], 'URLs of the processing instances, for the chat role', {
      aliases: ['PROCESSING_URL'],
      item: (text) => httpUrl.test(text) && URL.canParse(text),
      expected: 'http(s) URLs separated by commas',
    }),
    token: optional('Shared secret of chat and processing instances', { secret: true, aliases: ['PROCESSING_TOKEN'] }),
    threads: integer(1, 'Worker threads of the engine', { min: 1, max: 64 }),
    spareThreads: integer(1, 'Spare threads, each about 80 MB, that replace a lost worker thread at once', {
      max: 8,
    }),
    queueMax: integer(5000, 'Texts that wait in the engine; more get UNAVAILABLE', { min: 1 }),
    batchMax: integer(128, 'Texts per batch', { min: 1, max: 1000 }),
    itemTimeout: duration('250ms', 'Longest time that one text may occupy a thread'),
    loadTimeout: duration('60s', 'Longest time for a worker thread to load its weights and lists'),
    requestBytes: size('4MB', 'Largest request after decompression'),
    connectionsMax: integer(1000, 'Open TCP connections of the processing port; more are refused', { min: 1 }),
    streamsMax: integer(1000, 'Concurrent calls on one HTTP/2 connection', { min: 1 }),
    resetsPerSecond: integer(
      30,
      'Calls per second that one HTTP/2 connection may reset; beyond it the connection is closed',
      {
        min: 1,
      },
    ),
    resetsBurst: integer(200, 'The same at once', { min: 1 }),
    controlFramesPerSecond: integer(
      20,
      'PING and SETTINGS frames per second of one HTTP/2 connection; beyond it the connection is closed',
      { min: 1 },
    ),
    controlFramesBurst: integer(200, 'The same at once', { min: 1 }),
    ping: duration('20s', 'Interval of pings; a connection that does not answer within it is closed', { minMs: 50 }),
    failuresToOpen: integer(3, 'Consecutive failures of a processing instance after which it gets only probes', {
      min: 1,
    }),
    probePauseMax: duration('2s', 'Longest pause between probes of such an instance', { minMs: 1 }),
  },
  moderation: {
    timeout: duration(
      '500ms',
      'Time for a verdict after the draft leaves the queue, including retries and the fallback',
    ),
    queueWait: duration(
      '3s',
      'Longest wait of a draft in the queue for moderation; if the expected wait is longer, the draft is refused at once',
      { minMs: 10, maxMs: 9000 },
    ),
    fallback: choice(
      ['local', 'refuse', 'pending', 'open'],
      'local',
      'Fallback if no processing instance gives a verdict: local engine, refuse, hold as pending, or let through',
    ),
    retryShare: fraction(0.1, 'Retries at a second processing instance, as a share of all drafts'),
    retryReserve: integer(2048, 'Most retries that can be saved up for an outage; 0 turns retries off', { min: 0 }),
    blockThreshold: fraction(0.95, 'Spam score from which a message is blocked, if spam.action allows it'),
    flagThreshold: fraction(0.8, 'Spam score from which a message is flagged'),
    profanity: choice(['off', 'flag', 'block'], 'flag', 'Action for offensive words'),
    slurs: choice(['off', 'flag', 'block'], 'flag', 'Action for slurs'),
    rulesMax: integer(200, 'Rules per room, and of the deployment', { min: 0, max: 2000 }),
    ruleStepsMax: integer(
      2000,
      'Steps per character that all regular expressions of a room, or of the deployment, may take',
      {
        min: 1,
        max: 20_000,
      },
    ),
    rehearsalMessages: integer(20_000, 'Newest messages that the dry run of a rule checks', { min: 1, max: 1_000_000 }),
    rehearsalTimeout: duration('8s', 'Longest dry run; after it the results so far are returned', {
      minMs: 100,
      maxMs: 9000,
    }),
    rehearsalsMax: integer(2, 'Rules that one instance compiles or dry-runs at once', { min: 1, max: 16 }),
    reportsPerDay: integer(100, 'Reports per user and day', { min: 1 }),
    unjudgedPerAuthor: integer(
      50,
      'Messages of one user that wait for a verdict (fallback pending or open); more are refused',
      {
        min: 1,
      },
    ),
    unjudgedMax: integer(10_000, 'Messages of all users that wait for a verdict; more are refused', { min: 1 }),
    unjudgedPoll: duration('500ms', 'Interval at which moderation of waiting messages is retried', { minMs: 50 }),
    keepRemoved: duration('90d', 'Time in which a removal by moderators can be undone', {
      minMs: 60_000,
    }),
    keepRefusals: duration('30d', 'Time that the reasons for blocked texts are kept', { minMs: 60_000 }),
    keepAudit: duration('730d', 'Time that the audit log is kept', { minMs: 60_000 }),
    accessMax: duration('24h', 'Longest time for which staff can open a private room to read it', { minMs: 1000 }),
    spam: {
      action: choice(
        ['auto', 'flag', 'block'],
        'auto',
        'Action from blockThreshold on; auto blocks if a second sign agrees, such as the first messages of a new account, and flags otherwise',
      ),
      newcomerAge: duration('7d', 'Accounts younger than this count as new'),
      newcomerMessages: integer(10, 'New accounts have fewer messages than this', { min: 0, max: 1000 }),
    },
    links: {
      action: choice(
        ['off', 'flag', 'block'],
        'block',
        'Strictest action for links; block applies the link policy as it is',
      ),
      private: choice(
        ['allow', 'flag', 'block'],
        'allow',
        'Action for links into a private network, such as http://localhost:3000 or http://10.0.0.5/wiki; numeric spellings that hide the address are always blocked',
      ),
      deny: list([], 'Hosts that are blocked, with their subdomains, in any spelling'),
      allow: list([], 'Hosts whose links are always allowed, with their subdomains'),
      brands: list(
        [
          'paypal',
          'google',
          'discord',
          'facebook',
          'instagram',
          'whatsapp',
          'netflix',
          'microsoft',
          'coinbase',
          'binance',
        ],
        'Brand names that links must not imitate',
      ),
      shorteners: list(
        [
          'bit.ly',
          'tinyurl.com',
          't.co',
          'cutt.ly',
          'is.gd',
          'goo.gl',
          'ow.ly',
          'rb.gy',
          'rebrand.ly',
          'v.gd',
          'clck.ru',
          'shorturl.at',
          'tiny.cc',
          'buff.ly',
          'bl.ink',
          's.id',
          'u.to',
          'adf.ly',
        ],
        'Hosts of link shorteners',
      ),
    },
    flood: {
      action: choice(['off', 'flag', 'block'], 'flag', 'Action for messages of a flood'),
      authorCopies: integer(3, 'Near-copies by one author before a message counts as flood', { min: 1, max: 60 }),
      authorCopiesWindow: duration('30s', 'Window of authorCopies', { minMs: 100 }),
      roomCopies: integer(5, 'Near-copies in one room before a message counts as flood', { min: 1, max: 200 }),
      roomCopiesWindow: duration('60s', 'Window of roomCopies', { minMs: 100 }),
      authorMessages: integer(8, 'Messages with any text by one author before the next counts as flood', {
        min: 1,
        max: 60,
      }),
      authorMessagesWindow: duration('10s', 'Window of authorMessages', { minMs: 100 }),
      shortLetters: integer(
        24,
        'Texts of up to this many letters are small talk, unless they have a link, a name or a long number; a Han character counts twice',
        { min: 0, max: 1000 },
      ),
      shortFactor: integer(4, 'Factor for the copies from which small talk counts as flood', { min: 1, max: 20 }),
      authorsMax: integer(20_000, 'Authors whose recent messages are kept in memory', { min: 1 }),
      roomsMax: integer(5000, 'Rooms whose recent messages are kept in memory', { min: 1 }),
    },
  },
  notifications: {
    email: {
      enabled: flag(true, 'Whether mails about unread messages are sent'),
      delay: duration('10m', 'Time after which an unread message is mailed'),
      interval: duration('1h', 'Shortest interval between mails to one member'),
      from: text('Parley <parley@localhost>', 'Sender of mails', {
        pattern: /^(?:[^\r\n<>]*<[^\s<>@]+@[^\s<>@]+>|[^\s<>@]+@[^\s<>@]+)$/,
        expected: 'an address, or Name <address>',
      }),
      concurrency: integer(4, 'Mails sent at once', { min: 1, max: 100 }),
      digestHour: integer(8, 'Hour of daily and weekly digests, in the user’s time zone', { max: 23 }),
      roomsMax: integer(20, 'Rooms shown in a mail; the rest is counted', { min: 1, max: 200 }),
      messagesMax: integer(5, 'Messages quoted per room', { min: 1, max: 50 }),
      excerptMax: integer(300, 'Code points quoted per message', { min: 1, max: 1000 }),
      attemptsMax: integer(40, 'Attempts after which a deferred mail is given up', { min: 1 }),
      bouncesMax: integer(3, 'Permanently rejected mails after which an address gets no more', { min: 1 }),
      accountPerHour: integer(5, 'Account mails per hour and address; more are dropped', { min: 1 }),
    },
  },
  smtp: {
    url: optional('SMTP server; if not set, the development mailbox', {
      secret: true,
      aliases: ['SMTP_URL'],
      pattern: smtpUrl,
      expected: 'smtp://host:port or smtps://user:password@host:port',
    }),
    clientName: optional('Name of this deployment in EHLO; default: the host of publicUrl', {
      pattern: /^(?:[\w-]+(?:\.[\w-]+)*|\[(?:IPv6:)?[\da-f:.]+\])$/i,
      expected: 'a host name or an address literal such as [203.0.113.5]',
    }),
    timeout: duration('10s', 'Longest wait for a stage of the SMTP conversation'),
    deadline: duration('60s', 'Longest SMTP conversation for one mail', { minMs: 100, maxMs: 240_000 }),
    retryPause: duration('5s', 'First pause before a deferred mail is tried again; it doubles each time', { minMs: 1 }),
    retryPauseMax: duration('30s', 'Longest such pause during the first 20 attempts', { minMs: 1 }),
    failuresToOpen: integer(3, 'Consecutive failed conversations after which the server gets only probes', { min: 1 }),
    probePauseMax: duration('15s', 'Longest pause between probes of a failing server', { minMs: 1 }),
    sessionIdle: duration('5s', 'Time after which an unused SMTP connection is closed', { minMs: 1 }),
    sessionMailsMax: integer(100, 'Mails sent over one SMTP connection', { min: 1 }),
  },
  jobs: {
    concurrency: integer(4, 'Jobs that run at once in a processing instance, besides mails', { min: 1, max: 100 }),
    roomConcurrency: integer(4, 'Jobs that run at once in a chat instance: those that change rooms', {
      min: 1,
      max: 100,
    }),
    pollInterval: duration('1s', 'Interval at which the queue is polled'),
    unreadCheck: duration('1m', 'Interval at which unread counts of a few users are compared with a recount; 0: never'),
    heartbeat: duration('10s', 'Interval of a worker’s heartbeat'),
    deadAfter: duration('40s', 'Time after which the jobs of a silent worker are released'),
    stopTimeout: duration('20s', 'Time for running jobs to finish when Parley stops'),
    keepMails: duration('90d', 'Time that the record of a mail is kept; its unsubscribe link works as long'),
    mailboxMax: integer(500, 'Mails kept in the development mailbox', { min: 1, max: 10_000 }),
  },
  outbound: {
    allow: list([], 'Hosts, addresses and networks of your own that links and webhooks of users may reach', {
      item: isHostOrNetwork,
      expected: 'a list of host names, addresses or CIDRs such as wiki.internal, 10.0.0.7 or 10.1.0.0/16',
    }),
    timeout: duration('5s', 'Time for a request to a URL that a user gave, redirects included', { minMs: 100 }),
    bytesMax: size('1MB', 'Largest answer that is read, as it arrives and decoded'),
    redirectsMax: integer(5, 'Redirects that are followed', { max: 20 }),
  },
  previews: {
    enabled: flag(false, 'Fetch the pages that messages link to, and show their titles and pictures'),
    perMessage: integer(3, 'Links of a message that get a preview', { min: 1, max: 10 }),
    concurrency: integer(4, 'Messages whose links a processing instance fetches at once', { min: 1, max: 100 }),
    cache: duration('24h', 'Time after which a page is fetched again for another message', { minMs: 60_000 }),
  },
} as const;
