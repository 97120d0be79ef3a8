/**
 * The development mailbox shows mails that would have been sent. They hold links that reset passwords, so only admins and
 * callers on this machine can see it. It is registered only without SMTP and never in production.
 */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { desc } from 'drizzle-orm';
import type { FastifyRequest } from 'fastify';
import type { Database } from '../../database/connect.ts';
import { developmentMailbox } from '../../database/tables/mail-tables.ts';
import { Failure } from '../../errors.ts';
import type { Authenticator } from '../../http/caller/caller.ts';
import { escapeHtml } from './mail-text.ts';

/** Mails shown; the table holds a few more. */
const shown = 100;

export interface MailboxOptions {
  readonly db: Database;
  readonly authenticator: Authenticator;
  /** Whether a request was made on this machine, by nobody else through it. */
  readonly isLocal: (request: FastifyRequest) => boolean;
}

export const mailboxRoutes: FastifyPluginAsyncTypebox<MailboxOptions> = async (app, { db, authenticator, isLocal }) => {
  app.addHook('onRequest', async (request, reply) => {
    void reply.header('cache-control', 'no-store');
    if (isLocal(request)) return;
    const { role } = await authenticator.fromRequest(request);
    if (role !== 'admin')
      throw new Failure(
        'forbidden',
        'the development mailbox is for callers on the machine itself, and for admins in the page at /#/mailbox',
      );
  });

  const newest = () => db.select().from(developmentMailbox).orderBy(desc(developmentMailbox.id)).limit(shown);

  app.get('/dev/mailbox.json', { schema: { hide: true } }, async () => ({
    items: (await newest()).map(({ id, recipient, subject, text, html, headers, createdAt }) => ({
      id,
      to: recipient,
      subject,
      text,
      html,
      headers,
      createdAt: createdAt.toISOString(),
    })),
  }));

  app.get('/dev/mailbox', { schema: { hide: true } }, async (_request, reply) => {
    const mails = (await newest()).map(
      ({ recipient, subject, text, createdAt }) => `<article>
<h2>${escapeHtml(subject)}</h2>
<p>To ${escapeHtml(recipient)}, ${createdAt.toISOString()}</p>
<pre>${withLinks(text)}</pre>
</article>`,
    );
    return reply.type('text/html; charset=utf-8').send(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Mailbox</title></head>
<body><main><h1>Mailbox</h1>
<p>Mails that were not sent because no SMTP server is configured, newest first.</p>
${mails.join('\n') || '<p>Nothing yet.</p>'}
</main></body></html>
`);
  });
};

/** A text as HTML, with its http(s) URLs as links. */
function withLinks(text: string): string {
  return escapeHtml(text).replace(/https?:\/\/[^\s<>"]+/g, (url) => `<a href="${url}">${url}</a>`);
}
