/** Previews of links, with a real site in place of the web: `outbound.allow` holds its address. */
import sharp from 'sharp';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Single, startSingle } from '../harness/stack.ts';
import {
  connect,
  createRoom,
  type Frame,
  mustCall,
  signUp,
  type TestSocket,
  type TestUser,
} from '../harness/test-client.ts';
import { type LocalSite, sends, startLocalSite } from '../outbound/local-site.ts';

interface Shown {
  readonly id: string;
  readonly seq: number;
  readonly text: string;
  readonly editedAt: string | null;
  readonly previews?: readonly {
    url: string;
    title: string | null;
    description: string | null;
    siteName: string | null;
    imageUrl: string | null;
  }[];
}

const blockedText = 'XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X';

let parley: Single;
let site: LocalSite;
let ana: TestUser;
let ben: TestUser;
let roomId: string;
let socket: TestSocket;

beforeAll(async () => {
  site = await startLocalSite();
  parley = await startSingle({
    PARLEY_PREVIEWS_ENABLED: 'true',
    PARLEY_OUTBOUND_ALLOW: '127.0.0.1',
    PARLEY_JOBS_POLL_INTERVAL: '100ms',
  });
  [ana, ben] = [await signUp(parley.url), await signUp(parley.url)];
  roomId = await createRoom([ana, ben]);
  socket = await connect(parley.url, ben);
});
afterAll(async () => {
  await socket.close();
  await Promise.all([parley.end(), site.stop()]);
});

const page = (title: string, more = '') => sends(`<head><title>${title}</title>${more}</head>`);
const titles = ({ previews = [] }: Shown) => previews.map(({ title }) => title);
const path = (message: Shown, end = '') => `/v1/rooms/${roomId}/messages/${message.id}${end}`;

async function send(text: string): Promise<Shown> {
  const clientId = crypto.randomUUID();
  return (await mustCall(ana, 'POST', `/v1/rooms/${roomId}/messages`, { clientId, text })) as unknown as Shown;
}

/** The first `message.updated` of a message, after `afterSeq`, that fits. */
async function updated(
  message: Shown,
  fits: (shown: Shown) => boolean,
  afterSeq = message.seq,
): Promise<Shown & { eventSeq: number }> {
  const shownIn = ({ data }: Frame) => (data as { message: Shown }).message;
  const frame = await socket.until(
    (each) =>
      each.type === 'message.updated' && each.seq! > afterSeq && shownIn(each).id === message.id && fits(shownIn(each)),
  );
  return { ...shownIn(frame), eventSeq: frame.seq! };
}

const find = async (message: Shown) => (await mustCall(ben, 'GET', path(message))) as unknown as Shown;
const requestsTo = (url: string) => site.requests.filter((request) => request.url === url).length;

/** Later than everything that was queued before: a message with a preview of its own, which has arrived. */
async function afterQueue(): Promise<void> {
  const url = `/marker/${crypto.randomUUID()}`;
  site.answer(url, page('marker'));
  await updated(await send(site.url + url), (shown) => titles(shown).includes('marker'));
}

test('a link gets a preview that readers see live, in history and in the log, and the message does not count as edited', async () => {
  const og = '<meta property="og:description" content="All about it"><meta property="og:site_name" content="Site">';
  site.answer('/live', page('A page', og));
  const sent = await send(`look: ${site.url}/live`);
  expect(sent.previews).toBeUndefined();
  const live = await updated(sent, (shown) => titles(shown).length > 0);
  const preview = {
    url: `${site.url}/live`,
    title: 'A page',
    description: 'All about it',
    siteName: 'Site',
    imageUrl: null,
  };
  expect(live).toMatchObject({ editedAt: null, text: sent.text, previews: [preview] });
  expect(await find(sent)).toMatchObject({ editedAt: null, previews: [preview] });
  const events = await mustCall(ben, 'GET', `/v1/rooms/${roomId}/events?after=${sent.seq - 1}&limit=10`);
  const shown = (events.events as Frame[]).map(({ type, data }) => [
    type,
    (data as { message?: Shown }).message?.previews,
  ]);
  expect(shown.slice(0, 2)).toEqual([
    ['message.created', undefined],
    ['message.updated', [preview]],
  ]);
});

test('at most three links are fetched, a page once for all messages, and never Parley itself', async () => {
  for (const n of [1, 2, 3, 4]) site.answer(`/n${n}`, page(`Page ${n}`));
  const links = [1, 1, 2, 3, 4].map((n) => `${site.url}/n${n}`).join(' ');
  const sent = await send(`http://localhost:${new URL(parley.url).port}/rooms/1 ${links}`);
  expect(titles(await updated(sent, (shown) => titles(shown).length > 0))).toEqual(['Page 1', 'Page 2', 'Page 3']);
  const again = await send(`${site.url}/n2#part`);
  expect(titles(await updated(again, (shown) => titles(shown).length > 0))).toEqual(['Page 2']);
  expect([1, 2, 3, 4].map((n) => requestsTo(`/n${n}`))).toEqual([1, 1, 1, 0]);
});

test('an edit replaces the previews, and one without links removes them', async () => {
  site.answer('/first', page('First'));
  site.answer('/second', page('Second'));
  const sent = await send(`${site.url}/first`);
  const first = await updated(sent, (shown) => titles(shown).includes('First'));
  await mustCall(ana, 'PATCH', path(sent), { text: `now ${site.url}/second` });
  const second = await updated(sent, (shown) => titles(shown).includes('Second'), first.eventSeq);
  expect(titles(second)).toEqual(['Second']);
  expect(second.editedAt).not.toBeNull();
  await mustCall(ana, 'PATCH', path(sent), { text: 'nothing left' });
  const last = await updated(
    sent,
    (shown) => titles(shown).length === 0 && shown.text === 'nothing left',
    second.eventSeq,
  );
  expect(last.editedAt! > second.editedAt!).toBe(true);
  await expect.poll(async () => (await find(sent)).previews).toBeUndefined();
});

test('the author removes previews for good; another member may not, a moderator may', async () => {
  site.answer('/unwanted', page('Unwanted'));
  const sent = await send(`${site.url}/unwanted`);
  const shown = await updated(sent, (each) => titles(each).length > 0);
  expect((await ben.call('DELETE', path(sent, '/previews'))).status).toBe(403);
  expect((await ana.call('DELETE', path(sent, '/previews'))).status).toBe(204);
  const removed = await updated(sent, (each) => titles(each).length === 0, shown.eventSeq);
  expect(removed).toMatchObject({ text: sent.text, editedAt: null });
  expect((await ana.call('DELETE', path(sent, '/previews'))).status).toBe(204);
  await mustCall(ana, 'PATCH', path(sent), { text: `again ${site.url}/unwanted` });
  await afterQueue();
  expect((await find(sent)).previews).toBeUndefined();
  expect(
    socket
      .events(roomId)
      .filter(({ type, data }) => type === 'message.updated' && (data as { message: Shown }).message.id === sent.id),
  ).toHaveLength(3);

  const bens = (await mustCall(ben, 'POST', `/v1/rooms/${roomId}/messages`, {
    clientId: 'bens',
    text: `${site.url}/unwanted`,
  })) as unknown as Shown;
  await updated(bens, (each) => titles(each).length > 0);
  expect((await ana.call('DELETE', path(bens, '/previews'))).status).toBe(204);
  expect((await find(bens)).previews).toBeUndefined();
});

test('previews that were refused in advance never come, and a deleted message gets none', async () => {
  let release = () => {};
  site.answer('/slow', (request, response) => {
    release = () => page('Slow')(request, response as never);
  });
  const early = await send(`${site.url}/slow`);
  await expect.poll(() => requestsTo('/slow')).toBe(1);
  expect((await ana.call('DELETE', path(early, '/previews'))).status).toBe(204);
  release();
  await afterQueue();
  expect((await find(early)).previews).toBeUndefined();

  const deleted = await send(`${site.url}/slow?2`);
  await expect.poll(() => requestsTo('/slow?2')).toBe(1);
  expect((await ana.call('DELETE', path(deleted))).status).toBe(204);
  release();
  await afterQueue();
  const types = socket
    .events(roomId)
    .filter(({ data }) => JSON.stringify(data).includes(deleted.id))
    .map(({ type }) => type);
  expect(types).toEqual(['message.created', 'message.deleted']);
  expect((await ana.call('DELETE', path(deleted, '/previews'))).status).toBe(404);
});

test('a page that says what a message may not is dropped, and so is one without a title, or of another kind', async () => {
  site.answer('/spam', page(blockedText));
  site.answer('/spam2', page('Fine', `<meta name="description" content="${blockedText}">`));
  site.answer('/empty', sends('<p>hello</p>'));
  site.answer('/pdf', sends('%PDF', { 'content-type': 'application/pdf' }));
  site.answer('/fine', page('Fine'));
  const sent = [
    await send(`${site.url}/spam ${site.url}/spam2 ${site.url}/fine`),
    await send(`${site.url}/empty ${site.url}/pdf ${site.url}/gone`),
  ];
  expect(titles(await updated(sent[0]!, (shown) => titles(shown).length > 0))).toEqual(['Fine']);
  expect((await find(sent[0]!)).previews).toMatchObject([{ url: `${site.url}/fine` }]);
  await afterQueue();
  expect((await find(sent[1]!)).previews).toBeUndefined();
});

test('addresses that the operator has not allowed are never asked, not even by a redirect', async () => {
  const secret = await startLocalSite('127.0.0.2');
  site.answer('/to-secret', (_request, response) =>
    response.writeHead(302, { location: `http://127.0.0.2:${secret.port}/` }).end(),
  );
  const sent = await send(`http://127.0.0.2:${secret.port}/ ${site.url}/to-secret`);
  await afterQueue();
  expect(requestsTo('/to-secret')).toBe(1);
  expect(secret.requests).toEqual([]);
  expect((await find(sent)).previews).toBeUndefined();
  await secret.stop();
});

test('the picture of a page is shown by a link that needs no login, and ends with the preview', async () => {
  const picture = await sharp({ create: { width: 64, height: 32, channels: 3, background: '#08f' } })
    .png()
    .toBuffer();
  site.answer('/picture.png', sends(picture, { 'content-type': 'image/png' }));
  site.answer('/not-a-picture.png', sends('<svg onload="alert(1)"/>', { 'content-type': 'image/png' }));
  site.answer('/with-picture', page('Pictured', '<meta property="og:image" content="/picture.png">'));
  site.answer('/with-lie', page('A plain page', '<meta property="og:image" content="/not-a-picture.png">'));
  const sent = await send(`${site.url}/with-picture ${site.url}/with-lie ${site.url}/picture.png`);
  const { previews = [] } = await updated(sent, (shown) => titles(shown).includes('Pictured'));
  expect(previews.map(({ imageUrl }) => typeof imageUrl)).toEqual(['string', 'object', 'string']);
  const url = new URL(previews[0]!.imageUrl!, parley.url).href;
  const answer = await fetch(url);
  expect([answer.status, answer.headers.get('content-type')]).toEqual([200, expect.stringMatching(/^image\//)]);
  const logged = await mustCall(ben, 'GET', `/v1/rooms/${roomId}/events?after=${sent.seq}&limit=10`);
  expect(JSON.stringify(logged.events)).toContain(new URL(url).pathname);
  expect((await find(sent)).previews?.[0]?.imageUrl).toContain('signature=');
  expect((await mustCall(ben, 'GET', path(sent))).attachments).toEqual([]);
  expect((await ana.call('DELETE', path(sent, '/previews'))).status).toBe(204);
  await expect.poll(async () => (await fetch(url)).status).toBe(404);
});
