/** Rooms full of what a message can hold, as a club of gardeners might have written them. */
import { randomUUID } from 'node:crypto';
import {
  connect,
  createRoom,
  mustCall,
  signUp,
  type TestSocket,
  type TestUser,
} from '../../test/harness/test-client.ts';
import { upload } from '../../test/harness/upload-calls.ts';
import { type LocalSite, sends } from '../../test/outbound/local-site.ts';
import { drawHills, drawSprout } from './garden-pictures.ts';

const names = {
  ana: 'Ana Duarte',
  ben: 'Ben Okafor',
  carla: 'Carla Rossi',
  dora: 'Dora Lindqvist',
  emil: 'Emil Novák',
  sprout: 'Sprout',
} as const;
type Name = keyof typeof names;
type People = Readonly<Record<Name, TestUser>>;
type Sockets = Readonly<Record<Exclude<Name, 'ana' | 'emil'>, TestSocket>>;

export interface Lively {
  readonly url: string;
  readonly ana: TestUser;
  /** Knows nobody yet. */
  readonly newcomer: TestUser;
  readonly garden: Garden;
  readonly sockets: Sockets;
  readonly end: () => Promise<void>;
}

export interface Garden {
  readonly roomId: string;
  readonly dmId: string;
  readonly festivalId: string;
  readonly assistantId: string;
  readonly threadId: string;
  readonly quotedId: string;
}

const room = 'Garden club';

/** `ana` signs up first, and so is the admin. */
export async function fillRooms(url: string, site: LocalSite): Promise<Lively> {
  const people = {} as Record<Name, TestUser>;
  for (const name of Object.keys(names) as Name[]) {
    people[name] = await signUp(url, name);
    await mustCall(people[name], 'PATCH', '/v1/users/me', { displayName: names[name] });
  }
  await addEmoji(url, people.ana);
  const sockets = await beThere(url, people);
  const garden = await fill({ url, people, sockets, site });
  const newcomer = await signUp(url, 'nuria');
  const end = async () => {
    for (const socket of Object.values(sockets)) await socket.close();
  };
  return { url, ana: people.ana, newcomer, garden, sockets, end };
}

interface Setting {
  readonly url: string;
  readonly people: People;
  readonly sockets: Sockets;
  readonly site: LocalSite;
}

async function fill(setting: Setting): Promise<Garden> {
  const { people } = setting;
  const { ana, ben, carla, dora, emil, sprout } = people;
  await createRoom([ana], { name: 'New ideas' });
  await createRoom([ben], { name: 'Seed exchange', visibility: 'public', topic: 'Swap what you have too much of' });
  await createRoom([carla, dora], { name: 'Beekeepers', visibility: 'public', topic: 'Hives, honey and swarms' });
  const roomId = await createRoom([ana, ben, carla, dora, emil], {
    name: room,
    visibility: 'public',
    topic: 'Beds, tools and what is in season. Meets on Saturdays at 10.',
  });
  const assistantId = await createRoom([ana, sprout], { name: 'Ask Sprout' });
  const festivalId = await createRoom([ben, ana, carla, dora], { name: 'Harvest festival' });
  await fillFestival(people, festivalId);
  const { id: dmId } = await mustCall(ana, 'POST', '/v1/dms', { userIds: [ben.id] });
  await fillDirect(people, String(dmId));
  const { threadId, quotedId } = await fillGarden(setting, roomId);
  await startAnswer(setting, assistantId);
  await keepForLater(people, { roomId, festivalId, quotedId });
  return { roomId, dmId: String(dmId), festivalId, assistantId, threadId, quotedId };
}

type Sent = Readonly<Record<string, unknown>> & { readonly id: string; readonly seq: number };

async function send(by: TestUser, roomId: string, text: string, more: Record<string, unknown> = {}): Promise<Sent> {
  const draft = { clientId: randomUUID(), text, ...more };
  return (await mustCall(by, 'POST', `/v1/rooms/${roomId}/messages`, draft)) as unknown as Sent;
}

const react = (by: TestUser, roomId: string, { id }: Sent, emoji: string) =>
  mustCall(by, 'PUT', `/v1/rooms/${roomId}/messages/${id}/reactions/${encodeURIComponent(emoji)}`);

async function addEmoji(url: string, admin: TestUser): Promise<void> {
  const form = new FormData();
  form.append('name', 'sprout');
  form.append('file', new File([new Uint8Array(await drawSprout())], 'sprout.png', { type: 'image/png' }));
  const headers = { authorization: `Bearer ${admin.accessToken}` };
  const { status } = await fetch(`${url}/v1/emojis`, { method: 'POST', headers, body: form });
  if (status !== 201) throw new Error(`the emoji was answered ${status}`);
}

/** Everybody but Emil is connected, each in another way. */
async function beThere(url: string, { ben, carla, dora, sprout }: People): Promise<Sockets> {
  const sockets = {
    ben: await connect(url, ben),
    carla: await connect(url, carla),
    dora: await connect(url, dora),
    sprout: await connect(url, sprout),
  };
  await sockets.carla.ask({ type: 'presence', status: 'away' });
  await sockets.dora.ask({ type: 'presence', status: 'dnd' });
  const status = { emoji: '🌻', text: 'Cutting sunflowers', expiresAt: null };
  await mustCall(ben, 'PATCH', '/v1/users/me', { status });
  await mustCall(dora, 'PATCH', '/v1/users/me', { status: { emoji: '🎧', text: 'Pruning in peace', expiresAt: null } });
  return sockets;
}

async function fillGarden({ url, people, sockets, site }: Setting, roomId: string) {
  const { ana, ben, carla, dora, emil } = people;
  const welcome = await send(
    ana,
    roomId,
    '**Opening hours** are 8:00 to 20:00 until the end of October. Please close the gate.',
  );
  await mustCall(ana, 'PUT', `/v1/rooms/${roomId}/messages/${welcome.id}/pin`);
  const quoted = await send(
    ben,
    roomId,
    'The list for the compost:\n\n- leaves and grass\n- coffee grounds\n- ~~citrus~~ please not\n\n| Bed | Turn it |\n|---|---|\n| North | Monday |\n| South | Thursday |\n\n```\nmoisture = 40 %\n```',
  );
  await mustCall(ana, 'PUT', `/v1/rooms/${roomId}/messages/${quoted.id}/pin`);
  await react(carla, roomId, quoted, '👍');
  const root = await send(carla, roomId, 'Who waters the greenhouse over the long weekend? I am away from Friday.');
  await fillThread(people, roomId, root);
  const gone = await send(emil, roomId, 'Selling my old mower');
  await mustCall(emil, 'DELETE', `/v1/rooms/${roomId}/messages/${gone.id}`);
  await send(emil, roomId, 'Sorry, wrong room.');
  await sendPictures({ url, people }, roomId);
  const files = [
    await upload(
      url,
      dora,
      '%PDF-1.7\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj 2 0 obj<</Type/Pages/Kids[]/Count 0>>endobj\ntrailer<</Root 1 0 R>>',
      'Planting plan 2026.pdf',
    ),
    await upload(url, dora, 'Bed;Crop\nNorth;Beans\n', 'crop-rotation.csv'),
  ];
  await send(dora, roomId, 'The plan for next year:', { attachmentIds: files.map(({ id }) => id) });
  await sendLink(people, roomId, { sockets, site });
  await sendPoll(people, roomId);
  const edited = await send(ana, roomId, 'The new rake is in the shed.');
  await mustCall(ana, 'PATCH', `/v1/rooms/${roomId}/messages/${edited.id}`, {
    text: 'The new rake is in the **left** shed.',
  });
  const last = await send(
    ben,
    roomId,
    `@ana could you bring the key to the pump on Saturday? @carla has the other one.`,
  );
  await react(ana, roomId, last, '👍');
  await react(carla, roomId, last, '👍');
  await react(dora, roomId, last, ':sprout:');
  await react(carla, roomId, last, '🎉');
  await send(dora, roomId, 'I can come an hour earlier and help.');
  return { threadId: root.id, quotedId: quoted.id };
}

async function fillThread({ ana, ben, dora }: People, roomId: string, root: Sent): Promise<void> {
  const inThread = { threadId: root.id };
  await send(ben, roomId, 'I take Saturday, morning and evening.', inThread);
  await send(dora, roomId, 'Sunday is mine then. The tomatoes want about two cans each.', inThread);
  const mine = await send(ana, roomId, 'Then I do Monday, and close the vents in the evening.', inThread);
  await react(ben, roomId, mine, '❤️');
  await send(ben, roomId, 'Settled: @ana has Monday. The rota is on the door.', { ...inThread, alsoInRoom: true });
}

async function sendPictures({ url, people: { carla, ana, ben } }: Pick<Setting, 'url' | 'people'>, roomId: string) {
  const drawn = [
    { name: 'terraces.png', sky: '#8ecae6', hills: '#588157' },
    { name: 'evening.png', sky: '#f4a261', hills: '#6d597a' },
    { name: 'after the rain.png', sky: '#a2b5c6', hills: '#40916c' },
  ];
  const files = [];
  for (const { name, ...colours } of drawn)
    files.push(await upload(url, carla, await drawHills({ width: 1200, height: 900, ...colours }), name, 'image/png'));
  const sent = await send(carla, roomId, 'From this week, before and after the rain', {
    attachmentIds: files.map(({ id }) => id),
  });
  await react(ana, roomId, sent, '😍');
  await react(ben, roomId, sent, '😍');
}

async function sendLink(
  { ben }: People,
  roomId: string,
  { sockets, site }: Pick<Setting, 'sockets' | 'site'>,
): Promise<void> {
  const picture = await drawHills({ width: 600, height: 600, sky: '#ffd6e0', hills: '#b5179e' });
  site.answer('/roses.png', sends(picture, { 'content-type': 'image/png' }));
  const head = `<head><title>Roses</title><meta property="og:site_name" content="The Garden Almanac">
    <meta property="og:title" content="When to cut back climbing roses">
    <meta property="og:description" content="Old shoots in late winter, the rest after the first flowering. With a calendar for cold, mild and coastal gardens.">
    <meta property="og:image" content="${site.url}/roses.png"></head>`;
  site.answer('/roses', sends(head));
  const { id } = await send(ben, roomId, `Worth reading before February: ${site.url}/roses`);
  await sockets.ben.until(({ type, data }) => {
    const message = data?.message as { id: string; previews?: readonly { imageUrl: string | null }[] } | undefined;
    return type === 'message.updated' && message?.id === id && Boolean(message.previews?.[0]?.imageUrl);
  });
}

async function sendPoll({ ana, ben, carla, dora, emil }: People, roomId: string): Promise<void> {
  const poll = {
    question: 'What do we grow in the new bed?',
    options: ['Pumpkins', 'Beans and peas', 'Flowers for the bees'],
  };
  const { id } = await send(ana, roomId, '', { poll });
  const vote = (by: TestUser, option: number) =>
    mustCall(by, 'PUT', `/v1/rooms/${roomId}/messages/${id}/vote`, { options: [option] });
  await Promise.all([vote(ben, 0), vote(carla, 2), vote(dora, 2), vote(emil, 1), vote(ana, 2)]);
}

async function fillFestival({ ben, carla, dora }: People, roomId: string): Promise<void> {
  await send(ben, roomId, 'The hall is ours on the 10th from noon.');
  await send(carla, roomId, 'I bring two pumpkin pies and the big kettle.');
  await send(dora, roomId, 'Music is settled: the brass band plays at five.');
  await send(ben, roomId, '@ana do you still have the bunting from last year?');
}

async function fillDirect({ ana, ben }: People, dmId: string): Promise<void> {
  await send(ben, dmId, 'Do you have a minute for the budget?');
  await send(ana, dmId, 'Sure. We are 40 below the plan, because the seeds were a gift.');
  await send(ben, dmId, 'Lovely. Then the wheelbarrow is in.');
  const last = await send(ana, dmId, 'Order it, please. The red one 🙂');
  await mustCall(ben, 'PUT', `/v1/rooms/${dmId}/read`, { seq: last.seq });
}

/** An answer that is still being written. */
async function startAnswer({ people: { ana }, sockets: { sprout } }: Setting, roomId: string): Promise<void> {
  await send(ana, roomId, 'When should I sow broad beans in a mild place?');
  const { messageId } = await sprout.ask({ type: 'message.stream.start', roomId, clientId: randomUUID() });
  const text =
    'In a mild place you can sow broad beans twice: in late autumn for an early crop, and again from February on. Sow them 5 cm deep and 20 cm apart, and';
  await sprout.ask({ type: 'message.stream.append', messageId, offset: 0, text });
}

async function keepForLater(
  { ana, ben, dora }: People,
  ids: Pick<Garden, 'roomId' | 'festivalId' | 'quotedId'>,
): Promise<void> {
  const { roomId, festivalId, quotedId } = ids;
  const inHours = (hours: number) => new Date(Date.now() + hours * 3_600_000).toISOString();
  const bookmark = { note: 'Print it for the shed', remindAt: inHours(20) };
  await mustCall(ana, 'PUT', `/v1/rooms/${roomId}/messages/${quotedId}/bookmark`, bookmark);
  await mustCall(ana, 'PUT', `/v1/rooms/${festivalId}/draft`, {
    text: 'Yes, in the attic. I bring it with the ladder on',
  });
  const text = 'Good morning! The gate is open, coffee is in the shed.';
  await mustCall(ana, 'POST', `/v1/rooms/${roomId}/scheduled`, { clientId: randomUUID(), text, sendAt: inHours(30) });
  const spam = await send(ben, festivalId, 'Free seed vouchers for the first hundred, write to me now');
  for (const by of [ana, dora])
    await mustCall(by, 'POST', `/v1/rooms/${festivalId}/messages/${spam.id}/report`, { reason: 'Spam or fraud' });
}
