/** `/v1/users`: one's own account and the public profiles of others. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import { invalid } from '../../errors.ts';
import type { Authenticator } from '../../http/caller/caller.ts';
import { readCursor, toPage, writeCursor } from '../../http/input/cursors.ts';
import {
  answers,
  Cursor,
  exactly,
  Limit,
  listOf,
  Nullable,
  named,
  PictureUrl,
  PublicUser,
  Time,
  Uuid,
} from '../../http/input/schemas.ts';
import { CustomStatusShape, StatusBody } from '../status/custom-status.ts';
import type { UserService } from './user-service.ts';

const tags = ['users'];

export const OwnUserShape = named(
  'OwnUser',
  Type.Object({
    id: Uuid,
    username: Type.String(),
    displayName: Type.String(),
    avatarUrl: Nullable(Type.String()),
    kind: Type.Union([Type.Literal('user'), Type.Literal('guest')]),
    role: Type.Union([Type.Literal('user'), Type.Literal('moderator'), Type.Literal('admin')]),
    email: Nullable(Type.String()),
    emailVerified: Type.Boolean(),
    createdAt: Time,
    status: Nullable(CustomStatusShape),
    invisible: Type.Boolean({ description: 'Others see me as offline' }),
  }),
);

const UserProfileShape = named(
  'UserProfile',
  Type.Object({ ...PublicUser.properties, status: Nullable(CustomStatusShape) }),
);

export interface UserRouteOptions {
  readonly users: UserService;
  readonly authenticator: Authenticator;
}

export const userRoutes: FastifyPluginAsyncTypebox<UserRouteOptions> = async (app, { users, authenticator }) => {
  app.get(
    '/users/me',
    {
      schema: {
        tags,
        operationId: 'getMyAccount',
        summary: 'Get my account',
        description: 'The account of the caller, with what only its owner sees: the address and the role.',
        response: answers(200, OwnUserShape),
      },
    },
    async (request) => users.me((await authenticator.fromRequest(request)).userId),
  );

  app.patch(
    '/users/me',
    {
      schema: {
        tags,
        operationId: 'updateMyProfile',
        summary: 'Change my profile',
        description:
          'Also sets the custom status (null removes it) and whether I am invisible. The text of a status is judged like a message.',
        body: exactly({
          displayName: Type.Optional(Type.String({ minLength: 1, maxLength: 400 })),
          avatarUrl: Type.Optional(Nullable(PictureUrl)),
          status: Type.Optional(Nullable(StatusBody)),
          invisible: Type.Optional(Type.Boolean({ description: 'Others see me as offline' })),
        }),
        response: answers(200, OwnUserShape),
      },
    },
    async (request) => users.update((await authenticator.fromRequest(request)).userId, request.body),
  );

  app.get(
    '/users/:userId',
    {
      config: { scope: 'users:read' },
      schema: {
        tags,
        operationId: 'getUser',
        summary: 'Get a public profile',
        params: exactly({ userId: Uuid }),
        description: 'With the custom status. Users blocked by this user do not see it.',
        response: answers(200, UserProfileShape),
      },
    },
    async (request) => {
      const caller = await authenticator.fromRequest(request);
      return users.get(request.params.userId, caller.kind === 'server' ? undefined : caller.userId);
    },
  );

  app.get(
    '/users',
    {
      config: { scope: 'users:read' },
      schema: {
        tags,
        operationId: 'searchUsers',
        summary: 'Search users by the beginning of their username or of a word in their display name',
        description:
          'Case and accents do not matter. Every word of the query must match. E-mail addresses are never searched.',
        querystring: exactly({
          query: Type.Optional(Type.String({ maxLength: 64 })),
          limit: Type.Optional(Limit),
          cursor: Type.Optional(Cursor),
        }),
        response: answers(200, listOf(PublicUser)),
      },
    },
    async (request) => {
      await authenticator.fromRequest(request);
      const { query = '', limit = 50, cursor } = request.query;
      if (!query.isWellFormed() || query.includes('\0')) throw invalid('/query', 'not a text');
      const from = cursor === undefined ? undefined : readCursor(cursor, ['string', 'uuid']);
      const found = await users.search(query.trim(), from && { username: from[0], id: from[1] }, limit + 1);
      return toPage(found, limit, (user) => writeCursor([user.username.toLowerCase(), user.id]));
    },
  );
};
