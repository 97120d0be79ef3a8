/** Notification settings, and the unsubscribe link of mails (RFC 8058), which needs no login. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import type { Authenticator } from '../../http/caller/caller.ts';
import { answers, exactly, htmlAnswers } from '../../http/input/schemas.ts';
import { defaultNotifications, type NotificationService } from './notification-settings.ts';

const tags = ['notifications'];
const WallClock = Type.String({ pattern: '^([01][0-9]|2[0-3]):[0-5][0-9]$' });

const Notifications = exactly({
  email: exactly({
    enabled: Type.Boolean(),
    delay: Type.Optional(
      Type.Union([
        Type.Number({ minimum: 0 }),
        Type.String({ pattern: '^[0-9]+(\\.[0-9]+)?(ms|s|m|h|d)?$', maxLength: 20 }),
      ]),
    ),
    digest: Type.Optional(Type.Union([Type.Literal('off'), Type.Literal('daily'), Type.Literal('weekly')])),
    quietHours: Type.Optional(
      exactly({ from: WallClock, to: WallClock, timeZone: Type.String({ minLength: 1, maxLength: 64 }) }),
    ),
  }),
  push: Type.Optional(exactly({ enabled: Type.Boolean() })),
});

export interface NotificationRouteOptions {
  readonly notifications: NotificationService;
  readonly authenticator: Authenticator;
}

export const notificationRoutes: FastifyPluginAsyncTypebox<NotificationRouteOptions> = async (
  app,
  { notifications, authenticator },
) => {
  app.get(
    '/users/me/notifications',
    {
      schema: {
        tags,
        operationId: 'getMyNotifications',
        summary: 'My notification settings',
        description: 'How the caller is told about unread messages.',
        response: answers(200, Notifications),
      },
    },
    async (request) => notifications.get((await authenticator.fromRequest(request)).userId),
  );

  app.put(
    '/users/me/notifications',
    {
      schema: {
        tags,
        operationId: 'replaceMyNotifications',
        summary: 'Replace my notification settings',
        description: 'Replaces all settings at once. Fields that are left out get their defaults.',
        body: Notifications,
        response: answers(200, Notifications),
      },
    },
    async (request) => {
      const { userId } = await authenticator.fromRequest(request);
      const { email, push } = request.body;
      return notifications.put(userId, {
        email: { ...defaultNotifications.email, ...email },
        push: push ?? defaultNotifications.push,
      });
    },
  );
};

const Token = exactly({ token: Type.String({ minLength: 1, maxLength: 128 }) });

/** Registered as a plugin of its own, because it accepts forms. */
export const unsubscribeRoutes: FastifyPluginAsyncTypebox<{ notifications: NotificationService }> = async (
  app,
  { notifications },
) => {
  // Mail programs post `List-Unsubscribe=One-Click` as a form (RFC 8058 §3.2). Only the token in the URL is used.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'string', bodyLimit: 4096 }, (_request, _body, done) => done(null));

  // Asks first, because mail filters and previews follow links.
  app.get(
    '/unsubscribe',
    {
      config: { document: true },
      schema: {
        tags,
        operationId: 'showUnsubscribePage',
        summary: 'Show a page that asks whether to unsubscribe from unread mail',
        description: 'The link of a mail. Opening it alone changes nothing.',
        security: [],
        querystring: Token,
        response: htmlAnswers,
      },
    },
    async (request, reply) => {
      await notifications.requireMailToken(request.query.token);
      return reply.type('text/html; charset=utf-8').send(
        page(
          'Unsubscribe',
          `<p>Stop mails about unread messages?</p>
<form method="post" action="?token=${encodeURIComponent(request.query.token)}"><button>Unsubscribe</button></form>`,
        ),
      );
    },
  );

  app.post(
    '/unsubscribe',
    {
      config: { document: true },
      schema: {
        tags,
        operationId: 'unsubscribe',
        summary: 'Unsubscribe the recipient of a mail from unread mail',
        description: 'RFC 8058: mail programs call it without a login.',
        security: [],
        querystring: Token,
        response: htmlAnswers,
      },
    },
    async (request, reply) => {
      await notifications.unsubscribe(request.query.token);
      return reply
        .type('text/html; charset=utf-8')
        .send(
          page(
            'Unsubscribed',
            '<p>You will get no more mails about unread messages. You can turn them on again in your settings.</p>',
          ),
        );
    },
  );
};

function page(title: string, body: string): string {
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${title}</title></head>
<body><main><h1>${title}</h1>
${body}
</main></body></html>
`;
}
