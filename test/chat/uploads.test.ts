/** Attachments from the upload to the erasure, over a local folder and over S3. */
import postgres from 'postgres';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { copyAttachments } from '../../src/chat/uploads/attachment-repository.ts';
import { deleteOfMessages } from '../../src/chat/uploads/file-deletion-repository.ts';
import { connectDatabase } from '../../src/database/connect.ts';
import { newId } from '../../src/database/new-id.ts';
import { type StoreKind, startStore, type TestStore } from '../harness/file-stores.ts';
import { type Single, startSingle } from '../harness/stack.ts';
import { connect, createRoom, mustCall, signUp, type TestUser } from '../harness/test-client.ts';
import { fetchAs, fetchLink, sendFiles, tryUpload, type UploadedFile, upload } from '../harness/upload-calls.ts';

/** 60 × 40 pixels, which a camera held upright has turned by 90 degrees, with a place. */
function photo(): Promise<Buffer> {
  return sharp({ create: { width: 60, height: 40, channels: 3, background: '#4a9' } })
    .jpeg()
    .withExif({ IFD0: { Make: 'SecretCam' }, IFD3: { GPSLatitudeRef: 'N', GPSLatitude: '52/1 31/1 12/1' } })
    .withMetadata({ orientation: 6 })
    .toBuffer();
}

function animation(format: 'gif' | 'webp'): Promise<Buffer> {
  const frames = Buffer.alloc(20 * 30 * 3);
  frames.fill(200, 20 * 10 * 3, 20 * 20 * 3);
  return sharp(frames, { raw: { width: 20, height: 30, channels: 3, pageHeight: 10 } })
    .toFormat(format, { delay: [100, 100, 100] })
    .toBuffer();
}

describe.each<StoreKind>(['local', 's3'])('with files in the %s store', (kind) => {
  let store: TestStore;
  let parley: Single;
  let ana: TestUser;
  let ben: TestUser;
  let eve: TestUser;

  beforeAll(async () => {
    store = await startStore(kind);
    parley = await startSingle({
      ...store.settings,
      PARLEY_UPLOADS_SWEEP_INTERVAL: '100ms',
      PARLEY_UPLOADS_PER_MINUTE: '10000',
      PARLEY_UPLOADS_PER_USER_MAX: '100',
      PARLEY_UPLOADS_QUOTA_BYTES: '4MB',
    });
    [ana, ben, eve] = (await Promise.all([1, 2, 3].map(() => signUp(parley.url)))) as [TestUser, TestUser, TestUser];
  });
  afterAll(async () => {
    await parley?.end();
    await store?.end();
  });

  test('a photo is upright, without its metadata, and has a thumbnail and a blurhash', async () => {
    const file = await upload(parley.url, ana, await photo(), 'Holiday.JPG', 'image/jpeg');
    expect(file).toMatchObject({
      name: 'Holiday.JPG',
      type: 'image/jpeg',
      width: 40,
      height: 60,
      blurhash: expect.stringMatching(/^.{20,}$/),
    });
    const room = await createRoom([ana, ben]);
    const socket = await connect(parley.url, ben);
    const message = await sendFiles(ana, room, [file.id]);
    const event = await socket.until((frame) => frame.type === 'message.created' && frame.roomId === room);
    const [shown] = (event.data as { message: { attachments: UploadedFile[] } }).message.attachments;
    expect(shown).toMatchObject({ id: file.id, width: 40, height: 60, type: 'image/jpeg' });
    expect(message.attachments).toEqual([shown]);

    const whole = await fetchLink(parley.url, shown!.url);
    expect(whole.status).toBe(200);
    expect(Object.fromEntries(whole.headers)).toMatchObject({
      'content-type': 'image/jpeg',
      'content-disposition': 'inline; filename="Holiday.JPG"',
      'x-content-type-options': 'nosniff',
      'content-security-policy': expect.stringContaining('sandbox'),
      'cross-origin-resource-policy': 'cross-origin',
      'content-length': String(shown!.size),
    });
    const bytes = Buffer.from(await whole.arrayBuffer());
    const header = await sharp(bytes).metadata();
    expect(header).toMatchObject({ width: 40, height: 60, format: 'jpeg' });
    expect([header.exif, header.icc, header.xmp, header.orientation]).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
    expect(bytes.includes('SecretCam')).toBe(false);
    const small = await fetchLink(parley.url, shown!.thumbnailUrl!);
    expect(small.headers.get('content-type')).toBe('image/webp');
    expect(await sharp(await small.arrayBuffer()).metadata()).toMatchObject({ width: 40, height: 60, format: 'webp' });
    await socket.close();
  });

  test.each(['gif', 'webp'] as const)('an animated %s stays animated', async (format) => {
    const file = await upload(parley.url, ana, await animation(format), `moving.${format}`);
    expect(file).toMatchObject({ type: `image/${format}`, width: 20, height: 10 });
    const bytes = Buffer.from(await (await fetchLink(parley.url, file.url)).arrayBuffer());
    expect(await sharp(bytes).metadata()).toMatchObject({ pages: 3, format });
  });

  test('parts of a file are answered as RFC 9110 says, over GET and HEAD', async () => {
    const text = 'Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich.';
    const bytes = Buffer.from(text);
    const { id } = await upload(parley.url, ana, text, 'Sätze.txt', 'text/html');
    const ask = (headers: Record<string, string>, method = 'GET') => fetchAs(parley.url, ana, id, { method, headers });
    const whole = await ask({});
    expect(await whole.text()).toBe(text);
    expect(Object.fromEntries(whole.headers)).toMatchObject({
      'content-type': 'text/plain; charset=utf-8',
      'content-disposition': `attachment; filename="S_tze.txt"; filename*=UTF-8''S%C3%A4tze.txt`,
      'accept-ranges': 'bytes',
    });
    const etag = whole.headers.get('etag')!;
    const head = await ask({}, 'HEAD');
    expect([head.status, head.headers.get('content-length'), await head.text()]).toEqual([
      200,
      String(bytes.length),
      '',
    ]);
    const part = await ask({ range: 'bytes=1-6', 'if-range': etag });
    expect([part.status, part.headers.get('content-range')]).toEqual([206, `bytes 1-6/${bytes.length}`]);
    expect(Buffer.from(await part.arrayBuffer())).toEqual(bytes.subarray(1, 7));
    const end = await ask({ range: 'bytes=-5' });
    expect(await end.text()).toBe('eich.');
    expect((await ask({ range: 'bytes=1-6', 'if-range': '"another"' })).status).toBe(200);
    const beyond = await ask({ range: `bytes=${bytes.length}-` });
    expect([beyond.status, beyond.headers.get('content-range')]).toEqual([416, `bytes */${bytes.length}`]);
    expect((await ask({ 'if-none-match': etag })).status).toBe(304);
    expect((await fetchAs(parley.url, ana, `${id}/thumbnail`)).status).toBe(404);
  });

  test('a message may be files alone, in the order in which it names them, and an empty file is a file', async () => {
    const room = await createRoom([ana, ben]);
    const files = await Promise.all(['', 'two', 'three'].map((text) => upload(parley.url, ana, text, `${text}.txt`)));
    const ids = files.map(({ id }) => id).reverse();
    const message = await sendFiles(ana, room, ids);
    expect(message.text).toBe('');
    expect(message.attachments.map(({ id }) => id)).toEqual(ids);
    const { messages } = (await mustCall(ben, 'GET', `/v1/rooms/${room}/messages`)) as unknown as {
      messages: { attachments: UploadedFile[] }[];
    };
    expect(messages[0]!.attachments.map(({ id, size }) => [id, size])).toEqual(
      message.attachments.map(({ id, size }) => [id, size]),
    );
    const empty = await fetchAs(parley.url, ben, files[0]!.id);
    expect([empty.status, await empty.text()]).toEqual([200, '']);
  });

  test('a send that names unknown, foreign or used files is refused whole, and one that is repeated is answered', async () => {
    const room = await createRoom([ana, ben]);
    const [own, foreign, used] = await Promise.all([
      upload(parley.url, ana, 'own'),
      upload(parley.url, ben, 'foreign'),
      upload(parley.url, ana, 'used'),
    ]);
    await sendFiles(ana, room, [used.id]);
    const send = (user: TestUser, clientId: string, attachmentIds: string[]) =>
      user.call('POST', `/v1/rooms/${room}/messages`, { clientId, attachmentIds });
    for (const bad of [foreign.id, used.id, newId()])
      expect(await send(ana, 'key', [own.id, bad])).toMatchObject({
        status: 400,
        body: { code: 'invalid', errors: [{ path: '/attachmentIds' }] },
      });
    const many = await Promise.all(Array.from({ length: 11 }, (_, n) => upload(parley.url, ana, `n${n}`)));
    expect(
      await send(
        ana,
        'key',
        many.map(({ id }) => id),
      ),
    ).toMatchObject({ status: 400, body: { code: 'invalid' } });
    // Nothing was taken by the refused ones, and their key is free.
    expect(await send(ana, 'key', [own.id])).toMatchObject({ status: 201 });
    expect(await send(ana, 'key', [own.id])).toMatchObject({ status: 200, body: { duplicate: true } });
    // Two messages that name the same file at the same time: one gets it.
    const [file] = many;
    const both = await Promise.all([send(ana, 'a', [file!.id]), send(ana, 'b', [file!.id])]);
    expect(both.map(({ status }) => status).sort()).toEqual([201, 400]);
  });

  test('only people who may read the message fetch its files, and a former member no longer', async () => {
    const room = await createRoom([ana, ben]);
    const file = await upload(parley.url, ana, 'for the room', 'plan.txt');
    const statusFor = async (user: TestUser) => (await fetchAs(parley.url, user, file.id)).status;
    expect([await statusFor(ana), await statusFor(ben), await statusFor(eve)]).toEqual([200, 404, 404]);
    await sendFiles(ana, room, [file.id]);
    expect([await statusFor(ana), await statusFor(ben), await statusFor(eve)]).toEqual([200, 200, 404]);
    expect((await fetch(`${parley.url}/v1/attachments/${file.id}`)).status).toBe(401);
    await mustCall(ana, 'DELETE', `/v1/rooms/${room}/members/${ben.id}`);
    expect(await statusFor(ben)).toBe(404);
    // In a room whose history begins with joining, nobody fetches what was sent before.
    const closed = await createRoom([ana], { history: 'joined' });
    const before = await upload(parley.url, ana, 'before');
    await sendFiles(ana, closed, [before.id]);
    await mustCall(ana, 'PUT', `/v1/rooms/${closed}/members/${eve.id}`, {});
    expect((await fetchAs(parley.url, eve, before.id)).status).toBe(404);
  });

  test('a deleted message ends the login’s access and the links within 5 s, frees the quota, and its bytes go', async () => {
    const room = await createRoom([ana, ben]);
    const before = new Set(await store.keys());
    const file = await upload(parley.url, ben, await photo(), 'gone.jpg');
    const { id, attachments } = await sendFiles(ben, room, [file.id]);
    const stored = (await store.keys()).filter((key) => !before.has(key));
    expect(stored.sort()).toEqual([file.id, `${file.id}.thumbnail`]);
    expect((await fetchLink(parley.url, attachments[0]!.url)).status).toBe(200);
    await mustCall(ben, 'DELETE', `/v1/rooms/${room}/messages/${id}`);
    const deletedMs = performance.now();
    const statuses = async () => [
      (await fetchLink(parley.url, attachments[0]!.url)).status,
      (await fetchLink(parley.url, attachments[0]!.thumbnailUrl!)).status,
      (await fetchAs(parley.url, ben, file.id)).status,
    ];
    await expect.poll(statuses).toEqual([404, 404, 404]);
    expect(performance.now() - deletedMs).toBeLessThan(5000);
    await expect.poll(async () => (await store.keys()).filter((key) => stored.includes(key))).toEqual([]);
    const { messages } = (await mustCall(ana, 'GET', `/v1/rooms/${room}/messages`)) as unknown as {
      messages: { attachments: unknown[] }[];
    };
    expect(messages[0]!.attachments).toEqual([]);
  });

  test('what one stores is bounded by the quota, also when everything comes at once, and is freed by deletions', async () => {
    const user = await signUp(parley.url);
    const room = await createRoom([user]);
    const mega = Buffer.alloc(1024 * 1024 - 100_000);
    const answers = await Promise.all(Array.from({ length: 8 }, () => tryUpload(parley.url, user, mega)));
    const stored = answers.filter(({ status }) => status === 201);
    expect(stored).toHaveLength(4);
    expect(answers.filter(({ body }) => body.code === 'too_large')).toHaveLength(4);
    const { id } = await sendFiles(user, room, [String(stored[0]!.body.id)]);
    expect((await tryUpload(parley.url, user, mega)).status).toBe(413);
    await mustCall(user, 'DELETE', `/v1/rooms/${room}/messages/${id}`);
    expect((await tryUpload(parley.url, user, mega)).status).toBe(201);
  });

  test('bytes that forwarded messages share stay until the last of them is deleted', async () => {
    const room = await createRoom([ana, ben]);
    const file = await upload(parley.url, ana, 'shared by two messages', 'shared.txt');
    const first = await sendFiles(ana, room, [file.id]);
    const second = (await mustCall(ben, 'POST', `/v1/rooms/${room}/messages`, { clientId: 'fwd', text: 'look' }))
      .id as string;
    const { db, close } = connectDatabase({
      ...{ url: parley.database.url, poolSize: 1, statementTimeout: 5000, connectTimeout: 5000, name: 'test' },
    });
    const limits = { quotaBytes: 1_000_000_000, timeout: 60_000 };
    const to = { roomId: room, messageId: second, ownerId: ben.id };
    expect(await db.transaction((tx) => copyAttachments(tx, first.id, to, limits))).toBe(1);
    const [copy] = await db.execute<{ id: string }>(`select id from attachments where message_id = '${second}'`);
    await mustCall(ana, 'DELETE', `/v1/rooms/${room}/messages/${first.id}`);
    const sql = postgres(parley.database.url, { max: 1 });
    const owed = async () => (await sql`select key from file_deletions where key = ${file.id}`).length;
    await expect.poll(owed).toBe(0);
    expect(await (await fetchAs(parley.url, ben, copy!.id)).text()).toBe('shared by two messages');
    await db.transaction((tx) => deleteOfMessages(tx, [second], 60_000));
    await expect.poll(() => store.keys()).not.toContain(file.id);
    await sql.end();
    await close();
  });

  test('an erased person’s files are exported before, and gone afterwards: sent, unsent and forwarded', async () => {
    const user = await signUp(parley.url);
    const room = await createRoom([user, ana]);
    const [sentFile, unsent] = await Promise.all([
      upload(parley.url, user, await photo(), 'sent.jpg'),
      upload(parley.url, user, 'never sent', 'unsent.txt'),
    ]);
    await sendFiles(user, room, [sentFile.id]);
    const archive = await fetch(`${parley.url}/v1/users/me/export`, {
      headers: { authorization: `Bearer ${user.accessToken}` },
    });
    expect(Buffer.from(await archive.arrayBuffer()).includes('attachments/000001.json')).toBe(true);
    await mustCall(user, 'DELETE', '/v1/users/me', { password: user.password });
    const ids = [sentFile.id, unsent.id];
    await expect
      .poll(async () => (await store.keys()).filter((key) => ids.some((id) => key.startsWith(id))))
      .toEqual([]);
    const sql = postgres(parley.database.url, { max: 1 });
    expect(await sql`select id from attachments where id = any(${ids})`).toHaveLength(0);
    await sql.end();
    expect((await fetchLink(parley.url, sentFile.url)).status).toBe(404);
  });

  test('an upload that no message names is deleted after its time, unless a draft or a scheduled message keeps it', async () => {
    const [orphan, drafted, scheduled] = await Promise.all(
      ['orphan', 'drafted', 'scheduled'].map((text) => upload(parley.url, eve, text, `${text}.txt`)),
    );
    const sql = postgres(parley.database.url, { max: 1 });
    const any = newId();
    await sql`insert into drafts (user_id, room_id, thread_id, text, attachment_ids)
      values (${eve.id}, ${any}, ${any}, '', array[${drafted!.id}]::uuid[])`;
    await sql`insert into scheduled_messages (id, author_id, room_id, client_id, draft, send_at)
      values (${newId()}, ${eve.id}, ${any}, 'later', ${sql.json({ attachmentIds: [scheduled!.id] })}, now() + interval '3 days')`;
    await sql`update attachments set created_at = now() - interval '25 hours' where owner_id = ${eve.id}`;
    await expect.poll(() => store.keys()).not.toContain(orphan!.id);
    expect(await store.keys()).toEqual(expect.arrayContaining([drafted!.id, scheduled!.id]));
    await sql.end();
  });
});
