/** The append statements: the one for a single message and those for a batch store the same. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type AppendRow, appendCarefully, appendFresh, type LogView } from '../../src/chat/events/append-statement.ts';
import { connectSql, type Sql } from '../../src/database/connect.ts';
import { epochOfLog } from '../../src/realtime/cluster/log-row.ts';
import { createDatabase, type TestDatabase } from '../harness/test-database.ts';

let database: TestDatabase;
let sql: Sql;

beforeAll(async () => {
  database = await createDatabase();
  sql = connectSql({
    url: database.url,
    poolSize: 1,
    planOnce: true,
    statementTimeout: 10_000,
    connectTimeout: 5000,
    name: 'lane',
  });
  await sql`insert into log_identity (singleton, log_id) values (true, ${randomUUID()}) on conflict do nothing`;
});
afterAll(async () => {
  await sql.end();
  await database.drop();
});

/** The view of an instance that has just read the log. */
async function look(): Promise<LogView> {
  const [row] = await sql<{ epoch: string; xmin: string; ids: string[] }[]>`
    select ${epochOfLog(sql)} as epoch, pg_snapshot_xmin(pg_current_snapshot())::text as xmin,
      array(select id::text from revocations where xid >= pg_snapshot_xmin(pg_current_snapshot())) as ids
    from log_identity`;
  return { epoch: row!.epoch, horizon: { xmin: row!.xmin, knownIds: row!.ids } };
}

const endLogin = () => sql`insert into revocations (kind, user_id) values ('user', ${randomUUID()})`;
const rowsOf = (roomId: string, seqs: readonly number[]): AppendRow[] =>
  seqs.map((seq) => ({
    roomId,
    seq,
    authorId: randomUUID(),
    messageId: randomUUID(),
    clientId: `key "${seq}", {twice} \\ and so on`,
    digest: -(2n ** 62n),
    text: `line\n"${seq}" {a,b} \\ NULL`,
    html: '<p>&amp;</p>\n',
    mentions: seq % 2 === 0 ? [] : [randomUUID(), randomUUID()],
    replyTo: seq % 2 === 0 ? null : randomUUID(),
    mentionsAll: seq % 2 === 0 ? null : ('here' as const),
    threadId: null,
    alsoInRoom: false,
  }));
const append = (rows: readonly AppendRow[], view: LogView) =>
  appendFresh(sql, { rows, view, mailRooms: [], mailDelayMs: 0 });
/** How often Postgres has read all of `events` so far, this session included. */
async function wholeReadsOfLog(): Promise<number> {
  await sql`select pg_stat_force_next_flush()`;
  const [row] = await sql<{ seq_scan: string }[]>`select seq_scan from pg_stat_user_tables where relname = 'events'`;
  return Number(row!.seq_scan);
}
const storedIn = (roomId: string) => sql`
  select room_id, seq::int, type, (extract(epoch from at) * 1000)::bigint::text as at_ms, actor_id, message_id, client_id, digest::text, text, html,
    mentions, reply_to
  from events where room_id = ${roomId} order by seq`;

describe.each([
  { what: 'alone', seqs: [1] },
  { what: 'in a batch', seqs: [1, 2] },
])('a message $what', ({ seqs }) => {
  test('is stored as it was sent, at the time that is returned', async () => {
    const rows = rowsOf(randomUUID(), seqs);
    const outcome = await append(rows, await look());
    expect(outcome).toMatchObject({ stale: false, replaced: false, repeated: [], stored: undefined });
    expect(await storedIn(rows[0]!.roomId)).toEqual(
      rows.map((row) => ({
        room_id: row.roomId,
        seq: row.seq,
        type: 'message.created',
        at_ms: String(outcome.atMs),
        actor_id: row.authorId,
        message_id: row.messageId,
        client_id: row.clientId,
        digest: String(row.digest),
        text: row.text,
        html: row.html,
        mentions: row.mentions,
        reply_to: row.replyTo,
      })),
    );
  });

  test('is not stored while the caller does not know of an ended login, and is stored afterwards', async () => {
    const rows = rowsOf(randomUUID(), seqs);
    const before = await look();
    await endLogin();
    expect(await append(rows, before)).toMatchObject({ stale: true, replaced: false });
    expect(await storedIn(rows[0]!.roomId)).toEqual([]);
    expect(await append(rows, await look())).toMatchObject({ stale: false });
    expect(await storedIn(rows[0]!.roomId)).toHaveLength(rows.length);
  });

  test('is not stored if another log replaced the one that the caller knows', async () => {
    const rows = rowsOf(randomUUID(), seqs);
    const { epoch, horizon } = await look();
    expect(await append(rows, { epoch: `${epoch}0`, horizon })).toMatchObject({ stale: false, replaced: true });
    expect(await storedIn(rows[0]!.roomId)).toEqual([]);
  });

  test('is not stored after a missing event; the outcome names the room', async () => {
    const present = rowsOf(randomUUID(), [1]);
    const view = await look();
    await append(present, view);
    const { roomId } = present[0]!;
    const behindGap = rowsOf(
      roomId,
      seqs.map((seq) => seq + 2),
    );
    for (const statement of [appendFresh, appendCarefully]) {
      const batch = { rows: behindGap, view, mailRooms: [], mailDelayMs: 0 };
      expect(await statement(sql, batch)).toMatchObject({ stale: false, replaced: false, orphaned: roomId });
    }
    expect(await storedIn(roomId)).toHaveLength(1);
  });

  test('is stored without reading the whole log, also before Postgres has counted its rows', async () => {
    const roomId = randomUUID();
    const view = await look();
    const at = (first: number) =>
      rowsOf(
        roomId,
        seqs.map((seq) => seq - 1 + first),
      ).map((row) => ({ ...row, roomId }));
    await append(at(1), view);
    const before = await wholeReadsOfLog();
    for (let round = 1; round <= 20; round++) await append(at(1 + round * seqs.length), view);
    expect(await wholeReadsOfLog()).toBe(before);
  });

  test('is not stored at a seq that is taken', async () => {
    const rows = rowsOf(randomUUID(), seqs);
    const view = await look();
    await append(rows.slice(0, 1), view);
    await expect(append(rowsOf(rows[0]!.roomId, seqs), view)).rejects.toMatchObject({ code: '23505' });
    expect(await storedIn(rows[0]!.roomId)).toHaveLength(1);
  });
});

const flag = {
  labels: [{ name: 'spam', score: 0.8, start: 0, end: 4, matched: 'a "b" {c} \\ \ud83d'.toWellFormed(), id: 'model' }],
  spamScore: 0.8,
  engineVersion: 'model "1", {rules} \\ 2',
};
const entriesIn = (roomId: string) => sql`
  select room_id, message_id, author_id, source, labels, spam_score, engine_version, state from moderation_queue
  where room_id = ${roomId} order by message_id`;

describe.each([
  { how: 'freshly', appendAs: appendFresh },
  { how: 'carefully', appendAs: appendCarefully },
])('flagged messages, appended $how', ({ appendAs }) => {
  const appendAll = (rows: readonly AppendRow[], view: LogView, mailRooms: string[] = []) =>
    appendAs(sql, { rows, view, mailRooms, mailDelayMs: 60_000 });

  test.each([
    { what: 'alone', seqs: [1], withMail: false },
    { what: 'among others', seqs: [1, 2, 3], withMail: false },
    { what: 'with a mail job', seqs: [1, 2], withMail: true },
  ])('get an entry in the moderators’ queue: $what', async ({ seqs, withMail }) => {
    const roomId = randomUUID();
    const rows = rowsOf(roomId, seqs).map((row) => (row.seq === 2 ? row : { ...row, flag }));
    const outcome = await appendAll(rows, await look(), withMail ? [roomId] : []);
    expect(outcome).toMatchObject({ stale: false, replaced: false, stored: undefined });
    expect(await storedIn(roomId)).toHaveLength(rows.length);
    const expected = rows
      .filter((row) => row.flag)
      .map(({ messageId, authorId }) => ({
        room_id: roomId,
        message_id: messageId,
        author_id: authorId,
        source: 'engine',
        labels: flag.labels,
        spam_score: flag.spamScore,
        engine_version: flag.engineVersion,
        state: 'open',
      }));
    expect(await entriesIn(roomId)).toEqual(expected.toSorted((a, b) => (a.message_id < b.message_id ? -1 : 1)));
  });

  test('get no entry if nothing is stored', async () => {
    const roomId = randomUUID();
    const rows = rowsOf(roomId, [1]).map((row) => ({ ...row, flag }));
    const { epoch, horizon } = await look();
    expect(await appendAll(rows, { epoch: `${epoch}0`, horizon })).toMatchObject({ replaced: true });
    expect(await entriesIn(roomId)).toEqual([]);
  });
});

test('a flagged message whose seq or key was used before gets no entry', async () => {
  const roomId = randomUUID();
  const [first] = rowsOf(roomId, [1]);
  const view = await look();
  await append([first!], view);
  const again = { ...first!, seq: 2, messageId: randomUUID(), flag };
  const late = { ...rowsOf(roomId, [1])[0]!, flag };
  for (const row of [again, late]) {
    const outcome = await appendCarefully(sql, { rows: [row], view, mailRooms: [], mailDelayMs: 0 });
    expect(outcome.stored).toEqual(new Map());
  }
  expect(await entriesIn(roomId)).toEqual([]);
});
