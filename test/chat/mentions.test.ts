import { beforeAll, expect, test } from 'vitest';
import { type SharedParley, useSharedParley } from '../harness/shared-parley.ts';
import { connect, createRoom, mustCall, signUp, type TestUser } from '../harness/test-client.ts';

let parley: SharedParley;
beforeAll(async () => {
  parley = await useSharedParley();
});

interface Stored {
  readonly id: string;
  readonly text: string;
  readonly html: string;
  readonly mentions: readonly string[];
}

const marked = ({ html }: Stored) =>
  [...html.matchAll(/class="mention" data-username="([^"]+)"/g)].map(([, name]) => name);

async function newest(person: TestUser, roomId: string): Promise<Stored> {
  const { messages } = await mustCall(person, 'GET', `/v1/rooms/${roomId}/messages?limit=1`);
  return (messages as Stored[])[0]!;
}

test('the HTML marks exactly the members in `mentions`: by REST, by socket and in edits', async () => {
  const [ana, ben, stranger] = (await Promise.all([1, 2, 3].map(() => signUp(parley.url)))) as [
    TestUser,
    TestUser,
    TestUser,
  ];
  const roomId = await createRoom([ana, ben]);
  const names = `@${ben.username.toUpperCase()} @${ana.username} @${stranger.username} @nobody-at-all @${ben.username}.`;
  const expected = { mentions: [ben.id, ana.id], marks: [ben.username.toUpperCase(), ana.username, ben.username] };
  const check = (message: Stored) => {
    expect([...message.mentions].sort()).toEqual([...expected.mentions].sort());
    expect(marked(message)).toEqual(expected.marks);
    // Removing a mark keeps its text.
    expect(message.html).toContain(`@${stranger.username} @nobody-at-all`);
  };

  check((await mustCall(ana, 'POST', `/v1/rooms/${roomId}/messages`, { clientId: 'a', text: names })) as never);
  const socket = await connect(parley.url, ana);
  await socket.say(roomId, `by socket ${names}`);
  check(await newest(ben, roomId));
  const { id } = await newest(ben, roomId);
  await mustCall(ana, 'PATCH', `/v1/rooms/${roomId}/messages/${id}`, { text: `edited ${names}` });
  const edited = await newest(ben, roomId);
  expect(edited.text).toContain('edited');
  check(edited);

  // A user who joins later can be mentioned from then on.
  await mustCall(ana, 'PUT', `/v1/rooms/${roomId}/members/${stranger.id}`);
  await socket.say(roomId, `welcome @${stranger.username}`);
  expect(marked(await newest(ben, roomId))).toEqual([stranger.username]);
  await socket.close();
});

test('text that looks like the markup of a mention stays text', async () => {
  const ana = await signUp(parley.url);
  const roomId = await createRoom([ana]);
  const text =
    '<span class="mention" data-username="nobody-x">@nobody-x</span> and `<span class="mention" data-username="nobody-y">@nobody-y</span>`';
  await mustCall(ana, 'POST', `/v1/rooms/${roomId}/messages`, { clientId: 'b', text });
  const { html } = await newest(ana, roomId);
  expect(html.replace(/<\/?(p|code)>/g, '').trim()).toBe(
    text.replaceAll('`', '').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;'),
  );
});
