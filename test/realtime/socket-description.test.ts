import { Compile } from 'typebox/compile';
import { beforeAll, expect, test } from 'vitest';
import { type SharedParley, useSharedParley } from '../harness/shared-parley.ts';
import { connect, createRoom, type Frame, mustCall, signUp } from '../harness/test-client.ts';

interface Described {
  readonly name: string;
  readonly summary: string;
  readonly payload: object;
  readonly examples: readonly { readonly payload: object }[];
}

let parley: SharedParley;
let messages: Readonly<Record<string, Described>>;
let schemas: object;
let operations: Readonly<Record<'receive' | 'send', { readonly messages: readonly { readonly $ref: string }[] }>>;

beforeAll(async () => {
  parley = await useSharedParley();
  const document = await (await fetch(`${parley.url}/asyncapi.json`)).json();
  ({ messages, schemas } = document.components);
  operations = document.operations;
});

function errorsOf(payload: object, frame: unknown) {
  const whole = JSON.stringify({ ...payload, $defs: schemas }).replaceAll('#/components/schemas/', '#/$defs/');
  return [...Compile(JSON.parse(whole)).Errors(frame)];
}

test('every frame of clients and of the server is described, with an example that fits', () => {
  const named = (action: 'receive' | 'send') => operations[action].messages.map(({ $ref }) => $ref.split('/').at(-1)!);
  expect(named('receive')).toEqual(expect.arrayContaining(['Hello', 'MessageSend', 'ReactionAdd', 'Read', 'Typing']));
  expect(named('send')).toEqual(expect.arrayContaining(['Welcome', 'Ack', 'Error', 'MessageCreated', 'PollUpdated']));
  for (const name of [...named('receive'), ...named('send')]) {
    const { payload, examples, summary } = messages[name]!;
    expect(summary, name).not.toBe('');
    expect(errorsOf(payload, examples[0]!.payload), name).toEqual([]);
  }
});

test('the frames that come fit their description', async () => {
  const [ana, ben] = [await signUp(parley.url), await signUp(parley.url)];
  const room = await createRoom([ana, ben]);
  const socket = await connect(parley.url, ben);
  const path = `/v1/rooms/${room}`;
  const { id } = await mustCall(ana, 'POST', `${path}/messages`, { clientId: 'root', text: 'a root' });
  await mustCall(ana, 'POST', `${path}/messages`, { clientId: 'reply', text: 'a reply', threadId: id });
  await mustCall(ana, 'PUT', `${path}/messages/${id}/reactions/${encodeURIComponent('👍')}`);
  await mustCall(ana, 'DELETE', `${path}/messages/${id}/reactions/${encodeURIComponent('👍')}`);
  await mustCall(ana, 'PUT', `${path}/messages/${id}/pin`);
  await mustCall(ana, 'PATCH', `${path}/messages/${id}`, { text: 'a root, edited' });
  await mustCall(ana, 'DELETE', `${path}/messages/${id}/pin`);
  await mustCall(ana, 'PATCH', path, { topic: 'described' });
  await mustCall(ana, 'PATCH', `${path}/members/${ben.id}`, { role: 'moderator' });
  await socket.ask({ type: 'read', roomId: room, seq: 3 });
  await mustCall(ana, 'DELETE', `${path}/messages/${id}`);
  await mustCall(ben, 'DELETE', `${path}/members/me`);
  await socket.until((frame) => frame.type === 'room.left');
  const frames = socket.frames.filter(({ type }) => !['welcome', 'ack', 'error'].includes(type));
  const wrong = frames.flatMap((frame: Frame) => {
    const described = Object.values(messages).find(({ name }) => name === frame.type);
    if (!described) return [`${frame.type} is not described`];
    return errorsOf(described.payload, frame).map((error) => `${frame.type}: ${JSON.stringify(error)}`);
  });
  expect(wrong).toEqual([]);
  expect(new Set(frames.map(({ type }) => type)).size).toBeGreaterThan(9);
  await socket.close();
});
