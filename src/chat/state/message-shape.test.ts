import { expect, test } from 'vitest';
import { eventType } from '../../realtime/feed/feed.ts';
import { noExtras, toExtras } from './message-extras.ts';
import { createdEventJson, eventJson, type MessageFields, messageJson, toMessage } from './message-shape.ts';

const sender = { id: '0192', username: 'ana', displayName: 'Ana "the" \\ Ünal', avatarUrl: null };
const plain: MessageFields = {
  id: '0193',
  roomId: '0194',
  seq: 7,
  text: 'hello',
  html: '<p>hello</p>\n',
  mentions: [],
  replyTo: null,
  replyCount: 0,
  clientId: 'c1',
  createdAt: '2026-01-02T03:04:05.678Z',
  editedAt: null,
  deletedAt: null,
  extras: noExtras,
};

test('the type comes first in an event’s JSON, where eventType reads it without parsing', () => {
  expect(eventType(createdEventJson(plain, sender))).toBe('message.created');
  expect(eventType(eventJson('member.joined', 'room', 1, '', {}))).toBe('member.joined');
});

test.each<[string, Partial<MessageFields>]>([
  ['plain', {}],
  ['quotes, line breaks and signs beyond ASCII', { text: 'a "b" \\ \n \u2028 😀', html: '<p>"</p>', clientId: 'k"\\' }],
  ['mentions and a reply', { mentions: ['0195', '0196'], replyTo: '0197' }],
  ['in a thread and in the room', { extras: toExtras({ threadId: '0198', alsoInRoom: true, mentionsAll: 'here' }) }],
])('a new message has the same JSON live as from the log: %s', (_name, fields) => {
  const message = { ...plain, ...fields };
  expect(createdEventJson(message, sender)).toBe(
    eventJson('message.created', message.roomId, message.seq, message.createdAt, {
      message: toMessage(message, sender),
    }),
  );
});

test.each<[string, Partial<MessageFields>]>([
  ['as it was sent', {}],
  ['edited, answered and sent without a key', { editedAt: plain.createdAt, replyCount: 3, clientId: null }],
  ['deleted', { text: '', html: '', deletedAt: plain.createdAt }],
])('a message in a page of history is the same as the message read alone: %s', (_name, fields) => {
  const message = { ...plain, ...fields };
  expect(messageJson(message, sender)).toBe(JSON.stringify(toMessage(message, sender)));
});
