import { expect, test } from 'vitest';
import { hintTexts, receiveHint } from './hint-codec.ts';
import type { HintListener } from './hints.ts';

/** What an instance makes of a text, as a list of calls. */
function receive(text: string, logId = 'log'): unknown[] {
  const calls: unknown[] = [];
  const note =
    (name: string) =>
    (...values: unknown[]) =>
      calls.push([name, ...values]);
  const listener: HintListener = {
    onEvents: note('events'),
    onJoin: note('join'),
    onRoomSignal: note('room'),
    onUserSignal: note('user'),
    onRevocation: note('revoked'),
    onLinkRestored: note('restored'),
    onSubscribed: note('subscribed'),
  };
  const others = { onInstanceHealth: note('healthy'), onPresence: note('presence') };
  receiveHint(text, { origin: 'me', logId: () => logId, listener, ...others });
  return calls;
}

const events = [
  { roomId: 'a', firstSeq: 7, events: ['{"seq":7}', '{"seq":8}'] },
  { roomId: 'b', firstSeq: 1, events: ['{"seq":1}'] },
];

test('every kind of hint arrives as it was sent', () => {
  expect(receive(hintTexts.events('other', 'log', events))).toEqual(events.map((hint) => ['events', hint]));
  const join = { userId: 'u', roomId: 'r', seq: 3 };
  expect(receive(hintTexts.joined('other', join))).toEqual([['join', join]]);
  for (const exceptUserIds of [[], ['u'], ['u', 'v', 'w']]) {
    const signal = { roomId: 'r', json: '{}', exceptUserIds, afterSeq: 12 };
    expect(receive(hintTexts.roomSignal('other', signal))).toEqual([['room', signal]]);
  }
  expect(receive(hintTexts.userSignal('other', 'u', '{}'))).toEqual([['user', 'u', '{}']]);
  expect(receive(hintTexts.revoked('other'))).toEqual([['revoked']]);
  expect(receive(hintTexts.healthy('other'))).toEqual([['healthy']]);
  expect(receive(hintTexts.presence('other', 'i', 'a o1\nb f'))).toEqual([['presence', 'i', 'a o1\nb f']]);
});

test('hints of the instance itself, events of another log and unknown kinds are ignored', () => {
  expect(receive(hintTexts.revoked('me'))).toEqual([]);
  expect(receive(hintTexts.events('other', 'another log', events))).toEqual([]);
  expect(receive('other sung a b c')).toEqual([]);
  expect(receive('')).toEqual([]);
});

test('events that were cut short are read up to there', () => {
  const text = hintTexts.events('other', 'log', events).split('\n').slice(0, -1).join('\n');
  expect(receive(text)).toEqual([['events', events[0]]]);
  expect(receive('other events log\na zero 1\n{}')).toEqual([]);
});
