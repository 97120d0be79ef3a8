import { expect, test } from 'vitest';
import { parseSmtpUrl } from './smtp-conversation.ts';

test.each([
  ['smtp://mail.example.org', { host: 'mail.example.org', port: 587, secure: false, credentials: undefined }],
  ['smtps://mail.example.org', { host: 'mail.example.org', port: 465, secure: true, requireTLS: false }],
  ['smtp://[::1]:2525', { host: '::1', port: 2525 }],
  ['smtp://a%40b:p%25w%3A@h:25', { host: 'h', port: 25, credentials: { user: 'a@b', pass: 'p%w:' } }],
  ['smtp://user:100%@h', { credentials: { user: 'user', pass: '100%' } }],
  ['smtp://h?requireTLS=true&rejectUnauthorized=false', { requireTLS: true, rejectUnauthorized: false }],
])('%s', (url, parts) => {
  const own = { stageTimeoutMs: 1000, clientName: 'chat.example.org' };
  expect(parseSmtpUrl(url, own)).toMatchObject({ rejectUnauthorized: true, ...parts, ...own });
});
