/**
 * The data model. `migrations/` is generated from this file (`npm run migrations`), never written by hand.
 *
 * The room log is `events`: its primary key (room_id, seq) is both the order and the lock, and a message is its
 * `message.created` row (docs/decisions/0002-one-log-row-per-message.md). Users are referred to by id without foreign
 * keys in the log, so that erasing a person never rewrites other people's history.
 */
import { type SQL, type SQLWrapper, sql } from 'drizzle-orm';
import {
  bigint,
  boolean,
  customType,
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  real,
  text,
  timestamp,
  uniqueIndex,
  uuid,
} from 'drizzle-orm/pg-core';

const bytea = customType<{ data: Buffer }>({ dataType: () => 'bytea' });
/** A transaction id that never wraps; lets a poller know which rows it may have missed. */
const xid8 = customType<{ data: string }>({ dataType: () => 'xid8' });

const time = (name: string) => timestamp(name, { withTimezone: true, precision: 3, mode: 'date' });
const createdAt = () => time('created_at').notNull().defaultNow();
const seq = (name: string) => bigint(name, { mode: 'number' });
const transactionId = () => xid8('xid').notNull().default(sql`pg_current_xact_id()`);

// ── People ────────────────────────────────────────────────────────────────────────────────────────

/**
 * What a person is found by: the words of the display name, folded by `parley_name_words` of the migrations (lower case,
 * without accents, the same in every locale), and the username as a whole.
 */
export function nameWords({ displayName, username }: Record<'displayName' | 'username', SQLWrapper>): SQL {
  return sql`array_to_tsvector(parley_name_words(${displayName}) || lower(${username}))`;
}

export const users = pgTable(
  'users',
  {
    id: uuid('id').primaryKey(),
    username: text('username').notNull(),
    displayName: text('display_name').notNull(),
    avatarUrl: text('avatar_url'),
    kind: text('kind').$type<'user' | 'guest'>().notNull().default('user'),
    role: text('role').$type<'user' | 'moderator' | 'admin'>().notNull().default('user'),
    email: text('email'),
    emailVerifiedAt: time('email_verified_at'),
    /** The address was confirmed without a login of the account: whose mailbox it is need not have made the account. */
    confirmedOutside: boolean('confirmed_outside').notNull().default(false),
    passwordHash: text('password_hash'),
    createdAt: createdAt(),
    lastSeenAt: time('last_seen_at'),
    /** Tokens of host applications that were issued earlier are refused. */
    tokensEndedAt: time('tokens_ended_at'),
    erasedAt: time('erased_at'),
  },
  (table) => [
    uniqueIndex('users_username').on(sql`lower(${table.username})`),
    uniqueIndex('users_verified_email').on(sql`lower(${table.email})`).where(sql`${table.emailVerifiedAt} is not null`),
    index('users_email').on(sql`lower(${table.email})`),
    index('users_names').using('gin', nameWords(table)).where(sql`${table.erasedAt} is null`),
  ],
);

/** Who a person is elsewhere: (issuer, subject) of an OAuth provider or of a host application. */
export const identities = pgTable(
  'identities',
  {
    issuer: text('issuer').notNull(),
    subject: text('subject').notNull(),
    /** Names it in addresses. */
    id: uuid('id').notNull().defaultRandom(),
    userId: uuid('user_id').notNull(),
    /** The OAuth provider it came through; null: a host application vouches. */
    provider: text('provider'),
    /** What was last said of the person there. */
    profile: jsonb('profile').$type<Record<string, unknown>>().notNull().default({}),
    createdAt: createdAt(),
  },
  (table) => [
    primaryKey({ columns: [table.issuer, table.subject] }),
    uniqueIndex('identities_id').on(table.id),
    index('identities_user').on(table.userId),
  ],
);

/** Erased (issuer, subject), hashed: what was issued to them before is refused and brings nobody back. */
export const erasedIdentities = pgTable(
  'erased_identities',
  {
    hash: bytea('hash').primaryKey(),
    erasedAt: time('erased_at').notNull().default(sql`clock_timestamp()`),
  },
  (table) => [index('erased_identities_age').on(table.erasedAt)],
);

/** Accounts that were erased, and how far that got: what an instance began another one finishes. */
export const erasures = pgTable(
  'erasures',
  {
    id: uuid('id').primaryKey(),
    userId: uuid('user_id').notNull(),
    requestedAt: time('requested_at').notNull().default(sql`clock_timestamp()`),
    /** The instance at work says so again and again; silent for long, it is dead. */
    claimedAt: time('claimed_at'),
    finishedAt: time('finished_at'),
  },
  (table) => [
    uniqueIndex('erasures_user').on(table.userId),
    index('erasures_open').on(table.requestedAt).where(sql`finished_at is null`),
  ],
);

export const blocks = pgTable(
  'blocks',
  { userId: uuid('user_id').notNull(), blockedId: uuid('blocked_id').notNull(), createdAt: createdAt() },
  (table) => [primaryKey({ columns: [table.userId, table.blockedId] }), index('blocks_blocked').on(table.blockedId)],
);

export const notificationSettings = pgTable('notification_settings', {
  userId: uuid('user_id').primaryKey(),
  settings: jsonb('settings').$type<Record<string, unknown>>().notNull(),
  updatedAt: time('updated_at').notNull().defaultNow(),
});

// ── Logins ────────────────────────────────────────────────────────────────────────────────────────

/** One login on one device; its refresh tokens are a family. */
export const sessions = pgTable(
  'sessions',
  {
    id: uuid('id').primaryKey(),
    userId: uuid('user_id').notNull(),
    userAgent: text('user_agent'),
    address: text('address'),
    /** Another server opened it with its API key: it never acts as staff. */
    byServer: boolean('by_server').notNull().default(false),
    createdAt: createdAt(),
    /** When the person last proved who they are; needed for grave changes. */
    authenticatedAt: time('authenticated_at').notNull().defaultNow(),
    lastUsedAt: time('last_used_at').notNull().defaultNow(),
    expiresAt: time('expires_at').notNull(),
    revokedAt: time('revoked_at'),
  },
  (table) => [index('sessions_user').on(table.userId), index('sessions_expiry').on(table.expiresAt)],
);

export const refreshTokens = pgTable(
  'refresh_tokens',
  {
    hash: bytea('hash').primaryKey(),
    sessionId: uuid('session_id').notNull(),
    createdAt: createdAt(),
    rotatedAt: time('rotated_at'),
  },
  (table) => [index('refresh_tokens_session').on(table.sessionId)],
);

/** What ended: read by every instance before it serves a request (auth/sessions/revocations.ts). */
export const revocations = pgTable(
  'revocations',
  {
    id: bigint('id', { mode: 'number' }).primaryKey().generatedAlwaysAsIdentity(),
    xid: transactionId(),
    /** `tokens`: host applications' tokens that were issued at `until` or before are no longer good. */
    kind: text('kind').$type<'session' | 'user' | 'tokens' | 'ban' | 'unban'>().notNull(),
    userId: uuid('user_id').notNull(),
    sessionId: uuid('session_id'),
    until: time('until'),
    at: time('at').notNull().default(sql`clock_timestamp()`),
  },
  (table) => [index('revocations_xid').on(table.xid), index('revocations_at').on(table.at)],
);

/** Mailed links, OAuth codes, WebAuthn challenges: single use, bound to a purpose, stored hashed. */
export const oneTimeTokens = pgTable(
  'one_time_tokens',
  {
    hash: bytea('hash').primaryKey(),
    purpose: text('purpose').notNull(),
    userId: uuid('user_id'),
    data: jsonb('data').$type<Record<string, unknown>>().notNull().default({}),
    createdAt: createdAt(),
    expiresAt: time('expires_at').notNull(),
  },
  (table) => [index('one_time_tokens_user').on(table.userId), index('one_time_tokens_expiry').on(table.expiresAt)],
);

/** Devices (the hash of a cookie) that have logged into an account: guessers cannot stand in their way. */
export const trustedDevices = pgTable(
  'known_devices',
  {
    hash: bytea('hash').notNull(),
    userId: uuid('user_id').notNull(),
    createdAt: createdAt(),
    lastUsedAt: time('last_used_at').notNull().defaultNow(),
  },
  (table) => [
    primaryKey({ columns: [table.hash, table.userId] }),
    index('known_devices_user').on(table.userId),
    index('known_devices_age').on(table.lastUsedAt),
  ],
);

/** The key that secrets are sealed with, where the operator configured none (auth/credentials/secret-encryption.ts). */
export const sealingKeys = pgTable('sealing_keys', {
  id: text('id').primaryKey(),
  key: bytea('key').notNull(),
  createdAt: createdAt(),
});

export const signingKeys = pgTable('signing_keys', {
  id: text('id').primaryKey(),
  algorithm: text('algorithm').notNull(),
  publicJwk: jsonb('public_jwk').$type<Record<string, unknown>>().notNull(),
  privateJwk: jsonb('private_jwk').$type<Record<string, unknown>>().notNull(),
  createdAt: createdAt(),
  retiredAt: time('retired_at'),
});

/** The first answer to a creating request, for its repeats (`Idempotency-Key`). */
export const idempotencyKeys = pgTable(
  'idempotency_keys',
  {
    userId: uuid('user_id').notNull(),
    key: text('key').notNull(),
    requestHash: bytea('request_hash').notNull(),
    status: integer('status').notNull(),
    body: jsonb('body').$type<unknown>(),
    createdAt: createdAt(),
  },
  (table) => [primaryKey({ columns: [table.userId, table.key] }), index('idempotency_keys_age').on(table.createdAt)],
);

// ── Rooms ─────────────────────────────────────────────────────────────────────────────────────────

/** Names this log among all that ever were under its address; see realtime/cluster/log-epoch.ts. */
export const logEpoch = pgTable('log_identity', {
  singleton: boolean('singleton').primaryKey().default(true),
  logId: uuid('log_id').notNull(),
  createdAt: createdAt(),
});

/**
 * The run of the Postgres server (from one start to the next) in which the log was last found complete. Appends wait until
 * the present run is the one named here; see realtime/cluster/log-epoch.ts.
 */
export const logServer = pgTable('log_server', {
  singleton: boolean('singleton').primaryKey().default(true),
  startedAt: text('started_at').notNull(),
  adoptedAt: time('adopted_at').notNull().defaultNow(),
});

/** Chat instances that remember a part of the log, and can tell after a restart of Postgres whether it is still there. */
export const logWitnesses = pgTable('log_witnesses', {
  id: uuid('id').primaryKey(),
  /** Counted up while the instance lives. A smaller number than it remembers says that the database went back. */
  beat: bigint('beat', { mode: 'number' }).notNull(),
  /** The run of the server in which the instance registered. */
  bornIn: text('born_in').notNull(),
  /** The latest run of the server in which everything that the instance remembers was found. */
  confirmedIn: text('confirmed_in').notNull(),
  seenAt: time('seen_at').notNull().defaultNow(),
  /** Set at a clean stop. */
  endedAt: time('ended_at'),
});

/**
 * Invite links that are or were good. Named after their maker only by id; they count while the maker is a member, so an
 * erased one's are dead, and go when they have expired.
 */
export const invites = pgTable(
  'invites',
  {
    id: uuid('id').primaryKey(),
    roomId: uuid('room_id').notNull(),
    codeHash: bytea('code_hash').notNull(),
    /** For repeats of the request that made it. */
    sealedCode: text('sealed_code').notNull(),
    createdBy: uuid('created_by').notNull(),
    /** Made by deployment staff or a server, who need be no members. */
    byStaff: boolean('by_staff').notNull(),
    createdAt: createdAt(),
    expiresAt: time('expires_at').notNull(),
    maxUses: integer('max_uses'),
    uses: integer('uses').notNull().default(0),
  },
  (table) => [
    uniqueIndex('invites_code').on(table.codeHash),
    index('invites_room').on(table.roomId, table.expiresAt),
    index('invites_maker').on(table.createdBy),
  ],
);

export const rooms = pgTable(
  'rooms',
  {
    id: uuid('id').primaryKey(),
    kind: text('kind').$type<'room' | 'dm'>().notNull(),
    name: text('name').notNull().default(''),
    topic: text('topic').notNull().default(''),
    visibility: text('visibility').$type<'public' | 'private'>().notNull(),
    history: text('history').$type<'all' | 'joined'>().notNull().default('all'),
    slowModeSeconds: integer('slow_mode_seconds').notNull().default(0),
    /** The sorted ids of a direct-message room's people, hashed: one room for exactly that set. */
    dmKey: bytea('dm_key'),
    createdBy: uuid('created_by').notNull(),
    createdAt: createdAt(),
    deletedAt: time('deleted_at'),
  },
  (table) => [
    uniqueIndex('rooms_dm_key').on(table.dmKey),
    index('rooms_public').on(table.name, table.id).where(sql`visibility = 'public' and deleted_at is null`),
  ],
);

export const members = pgTable(
  'members',
  {
    roomId: uuid('room_id').notNull(),
    userId: uuid('user_id').notNull(),
    role: text('role').$type<'owner' | 'moderator' | 'member'>().notNull(),
    /** seq of the `member.joined` event that began this membership. */
    joinedSeq: seq('joined_seq').notNull(),
    joinedAt: time('joined_at').notNull().defaultNow(),
    mutedUntil: time('muted_until'),
  },
  (table) => [
    primaryKey({ columns: [table.roomId, table.userId] }),
    index('members_user').on(table.userId, table.roomId),
  ],
);

/** Every beginning and end of a membership: what connected users' instances poll, and where former members are remembered. */
export const membershipChanges = pgTable(
  'membership_changes',
  {
    id: bigint('id', { mode: 'number' }).primaryKey().generatedAlwaysAsIdentity(),
    xid: transactionId(),
    roomId: uuid('room_id').notNull(),
    userId: uuid('user_id').notNull(),
    kind: text('kind').$type<'joined' | 'left'>().notNull(),
    reason: text('reason').$type<'left' | 'removed' | 'banned' | 'deleted'>(),
    seq: seq('seq').notNull(),
    /** Of a membership that ended muted: who comes back before then is muted still. */
    mutedUntil: time('muted_until'),
  },
  (table) => [
    index('membership_changes_xid').on(table.xid),
    index('membership_changes_user').on(table.userId, table.roomId, table.id),
  ],
);

/**
 * The room log. A `message.created` row carries its message; `text` and `html` follow edits (older versions are in
 * message_edits) and are emptied by a deletion. `digest` compares repeats of a clientId with what was first sent.
 */
export const events = pgTable(
  'events',
  {
    roomId: uuid('room_id').notNull(),
    seq: seq('seq').notNull(),
    type: text('type').notNull(),
    at: time('at').notNull().default(sql`clock_timestamp()`),
    actorId: uuid('actor_id'),
    messageId: uuid('message_id'),
    clientId: text('client_id'),
    digest: bigint('digest', { mode: 'bigint' }),
    text: text('text'),
    html: text('html'),
    mentions: uuid('mentions').array(),
    replyTo: uuid('reply_to'),
    editedAt: time('edited_at'),
    deletedAt: time('deleted_at'),
    deletedBy: uuid('deleted_by'),
    data: jsonb('data').$type<Record<string, unknown>>(),
  },
  (table) => [
    primaryKey({ columns: [table.roomId, table.seq] }),
    uniqueIndex('events_message').on(table.messageId).where(sql`type = 'message.created'`),
    uniqueIndex('events_client_id').on(table.roomId, table.actorId, table.clientId).where(sql`client_id is not null`),
    index('events_reply').on(table.replyTo).where(sql`reply_to is not null`),
  ],
);

/** Earlier versions of edited messages; version 0 is what was first sent. */
export const messageEdits = pgTable(
  'message_edits',
  {
    messageId: uuid('message_id').notNull(),
    version: integer('version').notNull(),
    roomId: uuid('room_id').notNull(),
    /** The event that brought this version: the `message.created` or a `message.updated`. */
    seq: seq('seq').notNull(),
    text: text('text').notNull(),
    html: text('html').notNull(),
    mentions: uuid('mentions').array(),
    at: time('at').notNull(),
  },
  (table) => [primaryKey({ columns: [table.messageId, table.version] })],
);

export const readStates = pgTable(
  'read_states',
  {
    userId: uuid('user_id').notNull(),
    roomId: uuid('room_id').notNull(),
    lastReadSeq: seq('last_read_seq').notNull(),
    updatedAt: time('updated_at').notNull().defaultNow(),
  },
  (table) => [primaryKey({ columns: [table.userId, table.roomId] }), index('read_states_room').on(table.roomId)],
);

export const roomNotifications = pgTable(
  'room_notifications',
  {
    userId: uuid('user_id').notNull(),
    roomId: uuid('room_id').notNull(),
    level: text('level').$type<'all' | 'mentions' | 'none'>().notNull(),
    mutedUntil: time('muted_until'),
  },
  (table) => [primaryKey({ columns: [table.userId, table.roomId] }), index('room_notifications_room').on(table.roomId)],
);

// ── Mail ──────────────────────────────────────────────────────────────────────────────────────────

/**
 * One mail to one member, and the seqs it covers: `[{ roomId, fromSeq, toSeq }]`. `claimedBy` is the job worker that
 * has it in hand; `handedAt` is set before the last byte goes out: from then on it may have arrived.
 */
export const mails = pgTable(
  'mails',
  {
    id: uuid('id').primaryKey(),
    userId: uuid('user_id').notNull(),
    kind: text('kind').$type<'unread' | 'account'>().notNull().default('unread'),
    /** Which account mail, and where to; an unread mail goes to the member's address as of its claim. */
    template: text('template').$type<
      | 'verify'
      | 'verify_again'
      | 'reset'
      | 'already_registered'
      | 'change_email'
      | 'email_changed'
      | 'password_changed'
      | 'account_claimed'
      | 'factor_added'
      | 'factor_removed'
      | 'identity_linked'
      | 'identity_unlinked'
    >(),
    recipient: text('recipient'),
    unsubscribeHash: bytea('unsubscribe_hash'),
    state: text('state').$type<'owed' | 'claimed' | 'sent' | 'maybe_sent' | 'cancelled' | 'failed'>().notNull(),
    covers: jsonb('covers').$type<{ roomId: string; fromSeq: number; toSeq: number }[]>().notNull().default([]),
    attempts: integer('attempts').notNull().default(0),
    dueAt: time('due_at').notNull(),
    claimedAt: time('claimed_at'),
    claimedBy: uuid('claimed_by'),
    handedAt: time('handed_at'),
    finishedAt: time('finished_at'),
    createdAt: createdAt(),
  },
  (table) => [
    index('mails_user').on(table.userId, table.state),
    uniqueIndex('mails_one_unread').on(table.userId).where(sql`kind = 'unread' and state in ('owed', 'claimed')`),
    uniqueIndex('mails_unsubscribe').on(table.unsubscribeHash),
    index('mails_age').on(table.finishedAt),
    index('mails_recipient').on(sql`lower(${table.recipient})`, table.claimedAt).where(sql`kind = 'account'`),
    index('mails_due').on(table.dueAt).where(sql`state in ('owed', 'claimed')`),
  ],
);

/** Per member and room: up to where mails have covered it. */
export const mailMarks = pgTable(
  'mail_marks',
  {
    userId: uuid('user_id').notNull(),
    roomId: uuid('room_id').notNull(),
    mailedSeq: seq('mailed_seq').notNull(),
  },
  (table) => [primaryKey({ columns: [table.userId, table.roomId] })],
);

/** Addresses that are not written to: unsubscribed, or refused for good by their server. */
export const mailSuppressions = pgTable('mail_suppressions', {
  userId: uuid('user_id').primaryKey(),
  reason: text('reason').$type<'unsubscribed' | 'bounced'>().notNull(),
  failures: integer('failures').notNull().default(0),
  createdAt: createdAt(),
});

/** Job workers that live: one that is silent for too long is dead, and what it held is freed. */
export const jobWorkers = pgTable('job_workers', {
  id: uuid('id').primaryKey(),
  /** Names that graphile-worker locks jobs with. */
  lockNames: text('lock_names').array().notNull().default(sql`'{}'`),
  seenAt: time('seen_at').notNull().default(sql`clock_timestamp()`),
});

/** Where mails go while there is no SMTP server; read at /dev/mailbox. */
export const developmentMailbox = pgTable('development_mailbox', {
  id: uuid('id').primaryKey(),
  recipient: text('recipient').notNull(),
  subject: text('subject').notNull(),
  text: text('text').notNull(),
  html: text('html'),
  headers: jsonb('headers').$type<Record<string, string>>().notNull().default({}),
  createdAt: createdAt(),
});

// ── Moderation ────────────────────────────────────────────────────────────────────────────────────

/** Something a moderator should look at: a report or a flag of the engine, one per message while open. */
export const moderationQueue = pgTable(
  'moderation_queue',
  {
    id: uuid('id').primaryKey(),
    roomId: uuid('room_id').notNull(),
    messageId: uuid('message_id').notNull(),
    authorId: uuid('author_id').notNull(),
    source: text('source').$type<'report' | 'engine'>().notNull(),
    labels: jsonb('labels').$type<unknown[]>().notNull().default([]),
    spamScore: real('spam_score'),
    /** Which model, lists and rules said so; absent where nobody but people did. */
    engineVersion: text('engine_version'),
    state: text('state').$type<'open' | 'approved' | 'removed'>().notNull().default('open'),
    decidedBy: uuid('decided_by'),
    decidedAt: time('decided_at'),
    note: text('note'),
    createdAt: createdAt(),
  },
  (table) => [
    uniqueIndex('moderation_queue_message').on(table.messageId).where(sql`state = 'open'`),
    index('moderation_queue_open').on(table.state, table.createdAt),
    index('moderation_queue_room').on(table.roomId, table.state),
    index('moderation_queue_author').on(table.authorId, table.createdAt),
  ],
);

export const moderationReports = pgTable(
  'moderation_reports',
  {
    queueId: uuid('queue_id').notNull(),
    reporterId: uuid('reporter_id').notNull(),
    reason: text('reason').notNull(),
    createdAt: createdAt(),
  },
  (table) => [
    primaryKey({ columns: [table.queueId, table.reporterId] }),
    index('moderation_reports_reporter').on(table.reporterId, table.createdAt),
  ],
);

/**
 * What moderators took away, for as long as they may give it back: readers get the tombstone, this holds the text and
 * its earlier versions. Emptied when its author deletes the message, and by age (`moderation.keepRemoved`).
 */
export const moderationRemovals = pgTable(
  'moderation_removals',
  {
    messageId: uuid('message_id').primaryKey(),
    roomId: uuid('room_id').notNull(),
    authorId: uuid('author_id').notNull(),
    text: text('text').notNull(),
    html: text('html').notNull(),
    mentions: uuid('mentions').array(),
    versions: jsonb('versions').$type<Record<string, unknown>[]>().notNull().default([]),
    removedAt: time('removed_at').notNull().defaultNow(),
  },
  (table) => [
    index('moderation_removals_author').on(table.authorId),
    index('moderation_removals_age').on(table.removedAt),
  ],
);

/** That a text was refused, and why; never the text, nor what of it matched. By its author's id; emptied by age. */
export const moderationBlocks = pgTable(
  'moderation_blocks',
  {
    id: bigint('id', { mode: 'number' }).primaryKey().generatedAlwaysAsIdentity(),
    authorId: uuid('author_id').notNull(),
    roomId: uuid('room_id').notNull(),
    kind: text('kind').$type<'message' | 'edit'>().notNull(),
    labels: jsonb('labels').$type<{ name: string; score: number; id: string }[]>().notNull(),
    engineVersion: text('engine_version').notNull(),
    createdAt: createdAt(),
  },
  (table) => [
    index('moderation_blocks_author').on(table.authorId, table.createdAt),
    index('moderation_blocks_room').on(table.roomId, table.id),
    index('moderation_blocks_age').on(table.createdAt),
  ],
);

/**
 * Messages nobody judged in time, by `moderation.fallback`: in `pending` the only place where they are, seen by their
 * sender alone; in `open` a note that the message of this id is still to be judged. By its author's id.
 */
export const unjudgedMessages = pgTable(
  'unjudged_messages',
  {
    messageId: uuid('message_id').primaryKey(),
    position: bigint('position', { mode: 'number' }).generatedAlwaysAsIdentity(),
    mode: text('mode').$type<'pending' | 'open'>().notNull(),
    roomId: uuid('room_id').notNull(),
    authorId: uuid('author_id').notNull(),
    clientId: text('client_id').notNull(),
    digest: bigint('digest', { mode: 'bigint' }).notNull(),
    text: text('text').notNull(),
    replyTo: uuid('reply_to'),
    createdAt: createdAt(),
    /** An instance works on it until then. */
    claimedUntil: time('claimed_until'),
  },
  (table) => [
    uniqueIndex('unjudged_messages_client_id').on(table.roomId, table.authorId, table.clientId),
    index('unjudged_messages_position').on(table.position),
  ],
);

export const moderationRules = pgTable(
  'moderation_rules',
  {
    id: uuid('id').primaryKey(),
    xid: transactionId(),
    roomId: uuid('room_id'),
    kind: text('kind').$type<'word' | 'phrase' | 'regex' | 'link'>().notNull(),
    pattern: text('pattern').notNull(),
    action: text('action').$type<'flag' | 'block'>().notNull(),
    note: text('note'),
    createdBy: uuid('created_by').notNull(),
    createdAt: createdAt(),
    deletedAt: time('deleted_at'),
  },
  (table) => [
    index('moderation_rules_room').on(table.roomId),
    index('moderation_rules_active').on(table.id).where(sql`deleted_at is null`),
  ],
);

export const moderationBans = pgTable(
  'moderation_bans',
  {
    id: uuid('id').primaryKey(),
    userId: uuid('user_id').notNull(),
    roomId: uuid('room_id'),
    reason: text('reason'),
    createdBy: uuid('created_by').notNull(),
    createdAt: createdAt(),
    expiresAt: time('expires_at'),
    liftedAt: time('lifted_at'),
  },
  (table) => [index('moderation_bans_user').on(table.userId), index('moderation_bans_room').on(table.roomId)],
);

export const moderationAudit = pgTable(
  'moderation_audit',
  {
    id: uuid('id').primaryKey(),
    roomId: uuid('room_id'),
    actorId: uuid('actor_id'),
    action: text('action').notNull(),
    targetId: uuid('target_id'),
    details: jsonb('details').$type<Record<string, unknown>>().notNull().default({}),
    createdAt: createdAt(),
  },
  (table) => [
    index('moderation_audit_room').on(table.roomId, table.createdAt),
    index('moderation_audit_age').on(table.createdAt),
  ],
);

export const learnedExamples = pgTable(
  'learned_examples',
  {
    id: bigint('id', { mode: 'number' }).primaryKey().generatedAlwaysAsIdentity(),
    xid: transactionId(),
    moderatorId: text('moderator_id').notNull(),
    label: text('label').$type<'spam' | 'ham' | 'offensive' | 'clean'>().notNull(),
    text: text('text').notNull(),
    /** Whose text it is, and where it stood: of decisions, not of what other programs teach. */
    authorId: uuid('author_id'),
    roomId: uuid('room_id'),
    messageId: uuid('message_id'),
    createdAt: createdAt(),
    revokedAt: time('revoked_at'),
  },
  (table) => [
    index('learned_examples_xid').on(table.xid),
    index('learned_examples_author').on(table.authorId),
    index('learned_examples_message').on(table.messageId),
  ],
);

// ── Other servers ─────────────────────────────────────────────────────────────────────────────────

export const apiKeys = pgTable('api_keys', {
  id: uuid('id').primaryKey(),
  name: text('name').notNull(),
  hash: bytea('hash').notNull().unique(),
  scopes: text('scopes').array().notNull(),
  createdBy: uuid('created_by').notNull(),
  createdAt: createdAt(),
  lastUsedAt: time('last_used_at'),
  revokedAt: time('revoked_at'),
});

// ── Second factors ────────────────────────────────────────────────────────────────────────────────

export const mfaFactors = pgTable(
  'second_factors',
  {
    id: text('id').primaryKey(),
    userId: uuid('user_id').notNull(),
    kind: text('kind').$type<'totp' | 'passkey' | 'recovery'>().notNull(),
    name: text('name').notNull().default(''),
    data: jsonb('data').$type<Record<string, unknown>>().notNull(),
    confirmedAt: time('confirmed_at'),
    lastUsedAt: time('last_used_at'),
    createdAt: createdAt(),
  },
  (table) => [index('second_factors_user').on(table.userId)],
);
