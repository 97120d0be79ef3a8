/**
 * The expected answer of every route and frame to each kind of caller. A new route or frame without a line here fails
 * test/auth/matrix.test.ts. Write the intended answer, not the present one.
 *
 * Without a valid token (none, expired, revoked, another issuer's) every route but those of `anyone` answers 401, and to a
 * banned user 403. The lines are about all other callers.
 */

/**
 * Users who differ only by their membership of the cell's room (`shutOut` is banned from it), then callers who differ by
 * their role in the deployment.
 */
export type Caller =
  | 'outsider'
  | 'removed'
  | 'shutOut'
  | 'member'
  | 'moderator'
  | 'owner'
  | 'guest'
  | 'admin'
  | 'server';
export type Unproved = 'nobody' | 'expired' | 'revoked' | 'foreign' | 'banned';

/** The ids that the cell's request contains. */
export interface World {
  readonly roomId: string;
  /** A message of `otherId`, a member. */
  readonly messageId: string;
  readonly otherId: string;
  /** The caller; for a server, any user. */
  readonly callerId: string;
  /** A user who is in no room. */
  readonly strangerId: string;
  /** A picture in the message; empty unless the cell's route needs it. */
  readonly attachmentId: string;
  /** An entry of the room's queue and one of its rules; empty unless the cell's name needs them. */
  readonly entryId: string;
  readonly ruleId: string;
  /** Differs in every cell. */
  readonly unique: string;
}

export type Answers = Readonly<Record<Caller, number>>;
export interface RouteExpectation {
  readonly path?: (world: World) => string;
  readonly body?: (world: World) => unknown;
  /** The same answer for everybody, also without a login. */
  readonly anyone?: number;
  /** For a private room, or for a route without a room. */
  readonly answers?: Answers;
  /** For a public room, if it differs. */
  readonly inPublic?: Partial<Answers>;
}

const uuid = '01890000-0000-7000-8000-000000000000';
/** Routes of one's own account: allowed for users, not for servers. */
const own = (status: number, others: Partial<Answers> = {}): Answers => ({
  ...{ outsider: status, removed: status, shutOut: status, member: status, moderator: status, owner: status },
  ...{ guest: status, admin: status, server: 403, ...others },
});
/** Routes of a room: the answers to members, moderators, owners, staff and servers. To outsiders the room does not exist. */
const room = (member: number, moderator: number, owner: number, admin: number, server: number): Answers => ({
  ...{ outsider: 404, removed: 404, shutOut: 404, guest: 404, member, moderator, owner, admin, server },
});
const seenByAll = { outsider: 200, removed: 200, shutOut: 403, guest: 200 };
/** Staff see public rooms like everybody; a private room must be opened first. */
const seenByStaff = { ...seenByAll, admin: 200 };
const notJoined = { outsider: 403, removed: 403, shutOut: 403, guest: 403 };
const onlyServer = (status: number) => own(403, { server: status });
const onlyAdmin = (status: number) => own(403, { admin: status });

const reactionPath = ({ roomId, messageId }: World) =>
  `/v1/rooms/${roomId}/messages/${messageId}/reactions/${encodeURIComponent('👍')}`;

/** A file of a message: as for the message itself. */
const file: RouteExpectation = {
  path: ({ attachmentId }) => `/v1/attachments/${attachmentId || uuid}`,
  answers: room(200, 200, 200, 404, 200),
  inPublic: seenByStaff,
};

export const routes: Readonly<Record<string, RouteExpectation>> = {
  // ── Files ──
  // Without a body it is no upload, and nobody learns that without a login.
  'POST /v1/uploads': { answers: own(415) },
  'GET /v1/attachments/{id}': file,
  'GET /v1/attachments/{id}/thumbnail': { ...file, path: (world) => `${file.path!(world)}/thumbnail` },
  'GET /.well-known/jwks.json': { anyone: 200 },
  // ── Logging in ──
  'POST /v1/auth/register': {
    anyone: 201,
    body: ({ unique }) => ({ username: `r${unique}`, email: `r${unique}@example.org`, password: 'a long enough one' }),
  },
  'POST /v1/auth/login': { anyone: 401, body: ({ unique }) => ({ login: `nobody${unique}`, password: 'wrong one' }) },
  'POST /v1/auth/guest': { anyone: 201, body: () => ({ displayName: 'A guest' }) },
  'POST /v1/auth/refresh': { anyone: 401, body: () => ({ refreshToken: 'invented' }) },
  'POST /v1/auth/verify-email': { anyone: 400, body: () => ({ token: 'invented' }) },
  'POST /v1/auth/password/forgot': { anyone: 202, body: () => ({ email: 'nobody@example.org' }) },
  'POST /v1/auth/password/reset': { anyone: 400, body: () => ({ token: 'invented', password: 'a long enough one' }) },
  'POST /v1/auth/second-factor': { anyone: 401, body: () => ({ challenge: 'invented', code: '123456' }) },
  'POST /v1/auth/second-factor/options': { anyone: 401, body: () => ({ challenge: 'invented' }) },
  'POST /v1/auth/passkey/options': { anyone: 200 },
  'POST /v1/auth/passkey': {
    anyone: 401,
    body: () => ({
      ceremony: 'invented',
      response: { id: 'x', rawId: 'x', type: 'public-key', response: {}, clientExtensionResults: {} },
    }),
  },
  'GET /v1/auth/providers': { anyone: 200 },
  'GET /v1/auth/oauth/{provider}': { anyone: 404, path: () => '/v1/auth/oauth/unknown' },
  'GET /v1/auth/oauth/{provider}/callback': { anyone: 404, path: () => '/v1/auth/oauth/unknown/callback' },
  'POST /v1/auth/oauth/{provider}/callback': { anyone: 404, path: () => '/v1/auth/oauth/unknown/callback' },
  'POST /v1/auth/oauth/token': { anyone: 401, body: () => ({ code: 'invented' }) },
  'GET /v1/unsubscribe': { anyone: 404, path: () => '/v1/unsubscribe?token=invented' },
  'POST /v1/unsubscribe': { anyone: 404, path: () => '/v1/unsubscribe?token=invented' },
  // ── One's own account ──
  'POST /v1/auth/logout': { answers: own(204) },
  'POST /v1/auth/upgrade': {
    answers: own(409, { guest: 200, server: 403 }),
    body: ({ unique }) => ({ username: `g${unique}`, email: `g${unique}@example.org`, password: 'a long enough one' }),
  },
  'POST /v1/auth/setup': { answers: own(400, { guest: 403 }), body: () => ({ setupToken: 'invented' }) },
  'POST /v1/auth/step-up': { answers: own(403), body: () => ({ password: 'not the right one' }) },
  'POST /v1/auth/step-up/options': { answers: own(200) },
  'GET /v1/users/me': { answers: own(200) },
  'PATCH /v1/users/me': { answers: own(200), body: () => ({ displayName: 'Renamed' }) },
  'DELETE /v1/users/me': { answers: own(200) },
  'GET /v1/users/me/export': { answers: own(200) },
  'PUT /v1/users/me/password': {
    answers: own(204, { guest: 403 }),
    body: () => ({ newPassword: 'another long enough one' }),
  },
  'POST /v1/users/me/email': {
    answers: own(202, { guest: 403 }),
    body: ({ unique }) => ({ email: `n${unique}@example.org` }),
  },
  'POST /v1/users/me/email/verification': { answers: own(202, { guest: 403 }) },
  'GET /v1/users/me/sessions': { answers: own(200) },
  'DELETE /v1/users/me/sessions': { answers: own(204) },
  'DELETE /v1/users/me/sessions/{sessionId}': { answers: own(404), path: () => `/v1/users/me/sessions/${uuid}` },
  'GET /v1/users/me/notifications': { answers: own(200) },
  'PUT /v1/users/me/notifications': { answers: own(200), body: () => ({ email: { enabled: false } }) },
  'GET /v1/users/me/blocks': { answers: own(200) },
  'PUT /v1/users/me/blocks/{userId}': {
    answers: own(204),
    path: ({ strangerId }) => `/v1/users/me/blocks/${strangerId}`,
  },
  'DELETE /v1/users/me/blocks/{userId}': {
    answers: own(204),
    path: ({ strangerId }) => `/v1/users/me/blocks/${strangerId}`,
  },
  'GET /v1/users/me/identities': { answers: own(200) },
  // The test configures no provider, so permitted callers get 404.
  'POST /v1/users/me/identities': { answers: own(404, { guest: 403 }), body: () => ({ provider: 'acme' }) },
  'POST /v1/users/me/identities/link': { answers: own(401, { guest: 403 }), body: () => ({ code: 'invented' }) },
  'DELETE /v1/users/me/identities/{identityId}': {
    answers: own(404, { guest: 403 }),
    path: () => `/v1/users/me/identities/${uuid}`,
  },
  'GET /v1/users/me/second-factors': { answers: own(200, { guest: 403 }) },
  'POST /v1/users/me/second-factors/totp': { answers: own(201, { guest: 403 }) },
  'POST /v1/users/me/second-factors/totp/confirm': {
    answers: own(409, { guest: 403 }),
    body: () => ({ code: '123456' }),
  },
  'POST /v1/users/me/second-factors/passkeys/options': { answers: own(200, { guest: 403 }) },
  'POST /v1/users/me/second-factors/passkeys': {
    answers: own(400, { guest: 403 }),
    body: () => ({
      ceremony: 'invented',
      response: { id: 'x', rawId: 'x', type: 'public-key', response: {}, clientExtensionResults: {} },
    }),
  },
  'POST /v1/users/me/second-factors/recovery-codes': { answers: own(409, { guest: 403 }) },
  'PATCH /v1/users/me/second-factors/{factorId}': {
    answers: own(404, { guest: 403 }),
    path: () => '/v1/users/me/second-factors/unknown',
    body: () => ({ name: 'x' }),
  },
  'DELETE /v1/users/me/second-factors/{factorId}': {
    answers: own(404, { guest: 403 }),
    path: () => '/v1/users/me/second-factors/unknown',
  },
  // ── Users ──
  'GET /v1/users': { answers: own(200, { server: 200 }), path: () => '/v1/users?query=x' },
  'GET /v1/users/{userId}': { answers: own(200, { server: 200 }), path: ({ otherId }) => `/v1/users/${otherId}` },
  'GET /v1/presence': { answers: own(200), path: ({ otherId }) => `/v1/presence?userIds=${otherId}` },
  'POST /v1/users': { answers: onlyServer(201), body: ({ unique }) => ({ username: `s${unique}` }) },
  'DELETE /v1/users/{userId}': { answers: onlyServer(200), path: ({ strangerId }) => `/v1/users/${strangerId}` },
  'POST /v1/users/{userId}/sessions': {
    answers: onlyServer(201),
    path: ({ otherId }) => `/v1/users/${otherId}/sessions`,
  },
  'DELETE /v1/users/{userId}/sessions': {
    answers: onlyServer(204),
    path: ({ otherId }) => `/v1/users/${otherId}/sessions`,
  },
  // ── Other servers ──
  'GET /v1/api-keys': { answers: onlyAdmin(200) },
  'POST /v1/api-keys': { answers: onlyAdmin(201), body: () => ({ name: 'x', scopes: ['users:read'] }) },
  'DELETE /v1/api-keys/{keyId}': { answers: onlyAdmin(404), path: () => `/v1/api-keys/${uuid}` },
  // ── Custom emoji ──
  'GET /v1/emojis': { answers: own(200) },
  // Moderators get past the check of their right to that of the form.
  'POST /v1/emojis': { answers: onlyAdmin(415), body: () => ({}) },
  'DELETE /v1/emojis/{name}': { answers: onlyAdmin(404), path: () => '/v1/emojis/unknown' },
  'GET /v1/emojis/{name}/image': { anyone: 404, path: () => '/v1/emojis/unknown/image' },
  // ── Moderation of the deployment; for that of a room see below ──
  'GET /v1/moderation/bans': { answers: onlyAdmin(200) },
  'PUT /v1/moderation/bans/{userId}': { answers: onlyAdmin(200), body: () => ({ seconds: 60 }) },
  'DELETE /v1/moderation/bans/{userId}': { answers: onlyAdmin(204) },
  'GET /v1/moderation/queue': { answers: onlyAdmin(200) },
  'GET /v1/moderation/queue/{id}': { answers: own(404), path: () => `/v1/moderation/queue/${uuid}` },
  'POST /v1/moderation/queue/{id}': {
    answers: own(404),
    path: () => `/v1/moderation/queue/${uuid}`,
    body: () => ({ decision: 'approve' }),
  },
  'GET /v1/moderation/audit': { answers: onlyAdmin(200) },
  'POST /v1/moderation/access': {
    answers: onlyAdmin(404),
    body: () => ({ roomId: uuid, reason: 'a complaint', seconds: 60 }),
  },
  'GET /v1/moderation/refusals': { answers: onlyAdmin(200) },
  'GET /v1/moderation/lessons': { answers: onlyAdmin(200) },
  'DELETE /v1/moderation/lessons': {
    answers: onlyAdmin(200),
    path: ({ unique }) => `/v1/moderation/lessons?moderatorId=${unique}`,
  },
  'DELETE /v1/moderation/lessons/{id}': { answers: onlyAdmin(404), path: () => '/v1/moderation/lessons/1234567' },
  'GET /v1/moderation/rules': { answers: onlyAdmin(200) },
  'POST /v1/moderation/rules': {
    answers: onlyAdmin(201),
    body: ({ unique }) => ({ kind: 'word', pattern: `w${unique}`, action: 'flag' }),
  },
  'DELETE /v1/moderation/rules/{id}': { answers: own(404), path: () => `/v1/moderation/rules/${uuid}` },
  'POST /v1/rooms/{roomId}/messages/{messageId}/report': {
    answers: room(201, 201, 201, 201, 403),
    inPublic: { outsider: 201, removed: 201, shutOut: 403, guest: 201 },
    body: () => ({ reason: 'look at this' }),
  },
  // ── Rooms ──
  'POST /v1/rooms/{roomId}/invites': { answers: room(201, 201, 201, 403, 403), inPublic: notJoined },
  'GET /v1/rooms/{roomId}/invites': { answers: room(200, 200, 200, 403, 403), inPublic: notJoined },
  'DELETE /v1/rooms/{roomId}/invites/{inviteId}': {
    answers: room(404, 404, 404, 404, 403),
    inPublic: notJoined,
    path: ({ roomId }) => `/v1/rooms/${roomId}/invites/${uuid}`,
  },
  'POST /v1/invites/{code}/accept': { answers: own(404), path: () => '/v1/invites/invented/accept' },
  'POST /v1/rooms': { answers: own(201, { server: 201 }), body: () => ({ name: 'Garden', visibility: 'private' }) },
  'GET /v1/rooms': { answers: own(200) },
  'POST /v1/dms': { answers: own(201), body: ({ strangerId }) => ({ userIds: [strangerId] }) },
  'GET /v1/rooms/{roomId}': { answers: room(200, 200, 200, 404, 200), inPublic: seenByStaff },
  'PATCH /v1/rooms/{roomId}': {
    answers: room(403, 200, 200, 200, 200),
    inPublic: notJoined,
    body: () => ({ topic: 'trees' }),
  },
  'DELETE /v1/rooms/{roomId}': { answers: room(403, 403, 204, 204, 204), inPublic: notJoined },
  'GET /v1/rooms/{roomId}/members': { answers: room(200, 200, 200, 404, 200), inPublic: seenByStaff },
  'PUT /v1/rooms/{roomId}/members/{userId}': {
    path: ({ roomId, strangerId }) => `/v1/rooms/${roomId}/members/${strangerId}`,
    answers: room(403, 200, 200, 403, 200),
    inPublic: notJoined,
  },
  'PATCH /v1/rooms/{roomId}/members/{userId}': {
    answers: room(403, 403, 200, 200, 200),
    inPublic: notJoined,
    body: () => ({ role: 'moderator' }),
  },
  'DELETE /v1/rooms/{roomId}/members/{userId}': {
    answers: room(403, 204, 204, 204, 204),
    inPublic: notJoined,
  },
  'PUT /v1/rooms/{roomId}/members/{userId}/mute': {
    answers: room(403, 200, 200, 200, 200),
    inPublic: notJoined,
    body: () => ({ seconds: 60 }),
  },
  'DELETE /v1/rooms/{roomId}/members/{userId}/mute': { answers: room(403, 200, 200, 200, 200), inPublic: notJoined },
  'GET /v1/rooms/{roomId}/messages': { answers: room(200, 200, 200, 404, 200), inPublic: seenByStaff },
  'POST /v1/rooms/{roomId}/messages': {
    answers: room(201, 201, 201, 403, 403),
    inPublic: notJoined,
    body: ({ unique }) => ({ clientId: unique, text: 'hello' }),
  },
  // The test’s body is JSON. Nobody is refused for the type of a body before it is known who asks.
  'POST /v1/rooms/{roomId}/messages/stream': {
    answers: own(415),
    path: ({ roomId, unique }) => `/v1/rooms/${roomId}/messages/stream?clientId=${unique}`,
  },
  'GET /v1/rooms/{roomId}/messages/{messageId}': { answers: room(200, 200, 200, 404, 200), inPublic: seenByStaff },
  'PATCH /v1/rooms/{roomId}/messages/{messageId}': {
    answers: room(403, 403, 403, 403, 403),
    inPublic: notJoined,
    body: () => ({ text: 'in somebody else’s name' }),
  },
  'DELETE /v1/rooms/{roomId}/messages/{messageId}': { answers: room(403, 204, 204, 204, 403), inPublic: notJoined },
  'DELETE /v1/rooms/{roomId}/messages/{messageId}/previews': {
    answers: room(403, 204, 204, 204, 403),
    inPublic: notJoined,
  },
  'GET /v1/rooms/{roomId}/messages/{messageId}/replies': {
    answers: room(200, 200, 200, 404, 403),
    inPublic: seenByStaff,
  },
  'GET /v1/rooms/{roomId}/messages/{messageId}/edits': {
    answers: room(200, 200, 200, 404, 403),
    inPublic: seenByStaff,
  },
  'GET /v1/threads': { answers: own(200) },
  'GET /v1/rooms/{roomId}/messages/{messageId}/thread': {
    answers: room(200, 200, 200, 404, 403),
    inPublic: seenByStaff,
  },
  'PUT /v1/rooms/{roomId}/messages/{messageId}/thread/read': {
    answers: room(200, 200, 200, 404, 403),
    inPublic: { ...notJoined, admin: 403 },
    body: () => ({ seq: 1 }),
  },
  'PUT /v1/rooms/{roomId}/messages/{messageId}/thread/follow': {
    answers: room(200, 200, 200, 404, 403),
    inPublic: { ...notJoined, admin: 403 },
  },
  'DELETE /v1/rooms/{roomId}/messages/{messageId}/thread/follow': {
    answers: room(200, 200, 200, 404, 403),
    inPublic: { ...notJoined, admin: 403 },
  },
  'PUT /v1/rooms/{roomId}/messages/{messageId}/reactions/{emoji}': {
    answers: room(200, 200, 200, 404, 403),
    inPublic: { ...notJoined, admin: 403 },
    path: reactionPath,
  },
  'DELETE /v1/rooms/{roomId}/messages/{messageId}/reactions/{emoji}': {
    answers: room(200, 200, 200, 404, 403),
    inPublic: { ...notJoined, admin: 403 },
    path: reactionPath,
  },
  'GET /v1/rooms/{roomId}/messages/{messageId}/reactions/{emoji}': {
    answers: room(200, 200, 200, 404, 403),
    inPublic: seenByStaff,
    path: reactionPath,
  },
  'PUT /v1/rooms/{roomId}/messages/{messageId}/pin': {
    answers: room(200, 200, 200, 404, 403),
    inPublic: { ...notJoined, admin: 403 },
  },
  'DELETE /v1/rooms/{roomId}/messages/{messageId}/pin': {
    answers: room(200, 200, 200, 404, 403),
    inPublic: { ...notJoined, admin: 403 },
  },
  'GET /v1/rooms/{roomId}/pins': { answers: room(200, 200, 200, 404, 403), inPublic: seenByStaff },
  'GET /v1/rooms/{roomId}/events': { answers: room(200, 200, 200, 404, 200), inPublic: seenByStaff },
  'PUT /v1/rooms/{roomId}/read': {
    answers: room(200, 200, 200, 403, 403),
    inPublic: notJoined,
    body: () => ({ seq: 1 }),
  },
  'PUT /v1/rooms/{roomId}/messages/{messageId}/vote': {
    answers: room(200, 200, 200, 404, 403),
    inPublic: { ...notJoined, admin: 403 },
    body: () => ({ options: [1] }),
  },
  'POST /v1/rooms/{roomId}/messages/{messageId}/poll/close': {
    answers: room(403, 200, 200, 404, 403),
    inPublic: { ...notJoined, admin: 200 },
  },
  'PUT /v1/rooms/{roomId}/unread': {
    answers: room(200, 200, 200, 403, 403),
    inPublic: notJoined,
    body: () => ({ seq: 1 }),
  },
  'GET /v1/rooms/{roomId}/receipts': { answers: room(200, 200, 200, 404, 403), inPublic: seenByStaff },
  // ── What one keeps for later ──
  'GET /v1/drafts': { answers: own(200) },
  'PUT /v1/rooms/{roomId}/draft': {
    answers: room(200, 200, 200, 403, 403),
    inPublic: notJoined,
    body: () => ({ text: 'not sent yet' }),
  },
  'DELETE /v1/rooms/{roomId}/draft': { answers: room(204, 204, 204, 403, 403), inPublic: notJoined },
  'GET /v1/bookmarks': { answers: own(200) },
  'PUT /v1/rooms/{roomId}/messages/{messageId}/bookmark': {
    answers: room(200, 200, 200, 404, 403),
    inPublic: seenByStaff,
    body: () => ({ note: 'for later' }),
  },
  // A bookmark outlives its message and the right to read it.
  'DELETE /v1/rooms/{roomId}/messages/{messageId}/bookmark': { answers: own(204) },
  'POST /v1/rooms/{roomId}/scheduled': {
    answers: room(201, 201, 201, 403, 403),
    inPublic: notJoined,
    body: ({ unique }) => ({ clientId: unique, text: 'later', sendAt: new Date(Date.now() + 3_600_000).toISOString() }),
  },
  'GET /v1/scheduled': { answers: own(200) },
  'PATCH /v1/scheduled/{id}': {
    answers: own(404),
    path: () => `/v1/scheduled/${uuid}`,
    body: () => ({ text: 'changed' }),
  },
  'DELETE /v1/scheduled/{id}': { answers: own(404), path: () => `/v1/scheduled/${uuid}` },
  'GET /v1/rooms/{roomId}/notifications': { answers: room(200, 200, 200, 403, 403), inPublic: notJoined },
  'PUT /v1/rooms/{roomId}/notifications': {
    answers: room(200, 200, 200, 403, 403),
    inPublic: notJoined,
    body: () => ({ level: 'mentions' }),
  },
};

/** Moderation of a room: allowed for its moderators and owners, and for staff. */
const desk = (status: number): RouteExpectation => ({
  answers: room(403, status, status, status, 403),
  inPublic: notJoined,
});

/** Moderation routes of a room. The name contains the query or the body that selects the room. */
export const roomRoutes: Readonly<Record<string, RouteExpectation>> = {
  'GET /v1/moderation/bans?roomId={roomId}': desk(200),
  'PUT /v1/moderation/bans/{userId} {roomId}': { ...desk(200), body: ({ roomId }) => ({ roomId, seconds: 60 }) },
  'DELETE /v1/moderation/bans/{userId}?roomId={roomId}': desk(204),
  'GET /v1/moderation/queue?roomId={roomId}': desk(200),
  'GET /v1/moderation/queue/{entryId} {roomId}': desk(200),
  'POST /v1/moderation/queue/{entryId} {roomId}': {
    ...desk(200),
    body: () => ({ decision: 'remove', ban: { seconds: 60 } }),
  },
  'GET /v1/moderation/audit?roomId={roomId}': desk(200),
  'POST /v1/moderation/access {roomId}': {
    answers: onlyAdmin(201),
    body: ({ roomId }) => ({ roomId, reason: 'a complaint', seconds: 60 }),
  },
  'GET /v1/moderation/refusals?roomId={roomId}': desk(200),
  'GET /v1/moderation/rules?roomId={roomId}': desk(200),
  'POST /v1/moderation/rules {roomId}': {
    ...desk(201),
    body: ({ roomId, unique }) => ({ kind: 'word', pattern: `w${unique}`, action: 'flag', roomId }),
  },
  'DELETE /v1/moderation/rules/{ruleId} {roomId}': desk(204),
};

/** RPCs of the processing port. They need its own token; a user's token or an API key is refused. */
export const rpcs: Readonly<Record<string, 'token' | 'anyone'>> = {
  'parley.processing.v1.ProcessingService/Process': 'token',
  'parley.processing.v1.ProcessingService/ProcessBatch': 'token',
  'parley.processing.v1.ProcessingService/ProcessStream': 'token',
  'parley.processing.v1.ProcessingService/Check': 'token',
  'parley.processing.v1.ProcessingService/Render': 'token',
  'parley.processing.v1.ProcessingService/Learn': 'token',
  'grpc.reflection.v1.ServerReflection/ServerReflectionInfo': 'token',
  'grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo': 'token',
  'grpc.health.v1.Health/Check': 'anyone',
  'grpc.health.v1.Health/List': 'anyone',
  'grpc.health.v1.Health/Watch': 'anyone',
};

export interface FrameExpectation {
  readonly frame: (world: World) => Record<string, unknown>;
  /** `ack` or a failure's code, for a private room. Servers have no sockets. */
  readonly answers: Readonly<Record<Exclude<Caller, 'server'>, string>>;
  readonly inPublic?: Partial<Readonly<Record<Exclude<Caller, 'server'>, string>>>;
}

const everywhere = (code: string): FrameExpectation['answers'] => ({
  ...{
    outsider: code,
    removed: code,
    shutOut: code,
    member: code,
    moderator: code,
    owner: code,
    guest: code,
    admin: code,
  },
});
const inRoom = (member: string, moderator: string, owner: string, admin: string): FrameExpectation['answers'] => ({
  ...{
    outsider: 'not_found',
    removed: 'not_found',
    shutOut: 'not_found',
    guest: 'not_found',
    member,
    moderator,
    owner,
    admin,
  },
});
const joinFirst = { outsider: 'forbidden', removed: 'forbidden', shutOut: 'forbidden', guest: 'forbidden' };
const seen = { outsider: 'ack', removed: 'ack', shutOut: 'banned', guest: 'ack' };

export const frames: Readonly<Record<string, FrameExpectation>> = {
  ping: { frame: () => ({}), answers: everywhere('ack') },
  typing: {
    frame: ({ roomId }) => ({ roomId, active: true }),
    answers: inRoom('ack', 'ack', 'ack', 'forbidden'),
    inPublic: joinFirst,
  },
  read: {
    frame: ({ roomId }) => ({ roomId, seq: 1 }),
    answers: inRoom('ack', 'ack', 'ack', 'forbidden'),
    inPublic: joinFirst,
  },
  unread: {
    frame: ({ roomId }) => ({ roomId, seq: 1 }),
    answers: inRoom('ack', 'ack', 'ack', 'forbidden'),
    inPublic: joinFirst,
  },
  'poll.vote': {
    frame: ({ roomId, messageId }) => ({ roomId, messageId, options: [1] }),
    answers: inRoom('ack', 'ack', 'ack', 'not_found'),
    inPublic: { ...joinFirst, shutOut: 'banned', admin: 'forbidden' },
  },
  'poll.close': {
    frame: ({ roomId, messageId }) => ({ roomId, messageId }),
    answers: inRoom('forbidden', 'ack', 'ack', 'not_found'),
    inPublic: { ...joinFirst, shutOut: 'banned', admin: 'ack' },
  },
  'room.open': {
    frame: ({ roomId }) => ({ roomId }),
    answers: inRoom('ack', 'ack', 'ack', 'forbidden'),
    inPublic: { ...seen, admin: 'ack' },
  },
  // Closing a room that was never opened does not reveal whether it exists.
  'room.close': { frame: ({ roomId }) => ({ roomId }), answers: everywhere('ack') },
  'message.send': {
    frame: ({ roomId, unique }) => ({ roomId, clientId: unique, text: 'hello' }),
    answers: inRoom('ack', 'ack', 'ack', 'forbidden'),
    inPublic: joinFirst,
  },
  'message.stream.start': {
    frame: ({ roomId, unique }) => ({ roomId, clientId: unique }),
    answers: inRoom('ack', 'ack', 'ack', 'forbidden'),
    inPublic: joinFirst,
  },
  // Nobody but its writer can tell that a message is, or was, streamed.
  'message.stream.append': {
    frame: ({ messageId }) => ({ messageId, offset: 0, text: 'x' }),
    answers: everywhere('not_found'),
  },
  'message.stream.finish': { frame: ({ messageId }) => ({ messageId }), answers: everywhere('not_found') },
  'message.edit': {
    frame: ({ roomId, messageId }) => ({ roomId, messageId, text: 'in somebody else’s name' }),
    answers: inRoom('forbidden', 'forbidden', 'forbidden', 'forbidden'),
    inPublic: { ...joinFirst, shutOut: 'banned' },
  },
  'message.delete': {
    frame: ({ roomId, messageId }) => ({ roomId, messageId }),
    answers: inRoom('forbidden', 'ack', 'ack', 'ack'),
    inPublic: { ...joinFirst, shutOut: 'banned' },
  },
  'thread.read': {
    frame: ({ roomId, messageId }) => ({ roomId, messageId, seq: 1 }),
    answers: inRoom('ack', 'ack', 'ack', 'not_found'),
    inPublic: { ...joinFirst, shutOut: 'banned', admin: 'forbidden' },
  },
  'thread.follow': {
    frame: ({ roomId, messageId }) => ({ roomId, messageId, following: true }),
    answers: inRoom('ack', 'ack', 'ack', 'not_found'),
    inPublic: { ...joinFirst, shutOut: 'banned', admin: 'forbidden' },
  },
  'reaction.add': {
    frame: ({ roomId, messageId }) => ({ roomId, messageId, emoji: '👍' }),
    answers: inRoom('ack', 'ack', 'ack', 'not_found'),
    inPublic: { ...joinFirst, shutOut: 'banned', admin: 'forbidden' },
  },
  'reaction.remove': {
    frame: ({ roomId, messageId }) => ({ roomId, messageId, emoji: '👍' }),
    answers: inRoom('ack', 'ack', 'ack', 'not_found'),
    inPublic: { ...joinFirst, shutOut: 'banned', admin: 'forbidden' },
  },
  presence: { frame: () => ({ status: 'away' }), answers: everywhere('ack') },
  // Strangers are offline: see test/realtime/presence.test.ts.
  'presence.watch': { frame: ({ otherId }) => ({ userIds: [otherId] }), answers: everywhere('ack') },
  refresh: { frame: () => ({ token: 'invented' }), answers: everywhere('unauthenticated') },
};
