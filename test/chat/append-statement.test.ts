/** What a message that comes alone is stored by says the same as what a batch is stored by. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type AppendRow, appendFresh, type LogView } from '../../src/chat/events/append-statement.ts';
import { connectSql, type Sql } from '../../src/database/connect.ts';
import { eraOfLog } from '../../src/realtime/log-identity.ts';
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

/** As an instance sees the log that has looked just now. */
async function look(): Promise<LogView> {
  const [row] = await sql<{ era: string; xmin: string; ids: string[] }[]>`
    select ${eraOfLog(sql)} as era, pg_snapshot_xmin(pg_current_snapshot())::text as xmin,
      array(select id::text from revocations where xid >= pg_snapshot_xmin(pg_current_snapshot())) as ids
    from log_identity`;
  return { era: row!.era, horizon: { xmin: row!.xmin, knownIds: row!.ids } };
}

const endLogin = () => sql`insert into revocations (kind, user_id) values ('user', ${randomUUID()})`;
const rowsOf = (roomId: string, seqs: readonly number[]): AppendRow[] =>
  seqs.map((seq) => ({
    roomId,
    seq,
    actorId: randomUUID(),
    messageId: randomUUID(),
    clientId: `key "${seq}", {twice} \\ and so on`,
    digest: -(2n ** 62n),
    text: `line\n"${seq}" {a,b} \\ NULL`,
    html: '<p>&amp;</p>\n',
    mentions: seq % 2 === 0 ? [] : [randomUUID(), randomUUID()],
    replyTo: seq % 2 === 0 ? null : randomUUID(),
  }));
const append = (rows: readonly AppendRow[], view: LogView) =>
  appendFresh(sql, { rows, view, mailRooms: [], mailDelayMs: 0 });
const storedIn = (roomId: string) => sql`
  select room_id, seq::int, type, (extract(epoch from at) * 1000)::bigint::text as at_ms, actor_id, message_id, client_id, digest::text, text, html,
    mentions, reply_to
  from events where room_id = ${roomId} order by seq`;

describe.each([
  { what: 'alone', seqs: [1] },
  { what: 'in a batch', seqs: [1, 2] },
])('a message $what', ({ seqs }) => {
  test('is stored as it was said, at the time that is told', async () => {
    const rows = rowsOf(randomUUID(), seqs);
    const outcome = await append(rows, await look());
    expect(outcome).toMatchObject({ stale: false, replaced: false, repeated: [], stored: undefined });
    expect(await storedIn(rows[0]!.roomId)).toEqual(
      rows.map((row) => ({
        room_id: row.roomId,
        seq: row.seq,
        type: 'message.created',
        at_ms: String(outcome.atMs),
        actor_id: row.actorId,
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

  test('is not stored while a login ended that the caller has not heard of, and is once they have', async () => {
    const rows = rowsOf(randomUUID(), seqs);
    const before = await look();
    await endLogin();
    expect(await append(rows, before)).toMatchObject({ stale: true, replaced: false });
    expect(await storedIn(rows[0]!.roomId)).toEqual([]);
    expect(await append(rows, await look())).toMatchObject({ stale: false });
    expect(await storedIn(rows[0]!.roomId)).toHaveLength(rows.length);
  });

  test('is not stored in a log that took the place of the one that the caller knows', async () => {
    const rows = rowsOf(randomUUID(), seqs);
    const { era, horizon } = await look();
    expect(await append(rows, { era: `${era}0`, horizon })).toMatchObject({ stale: false, replaced: true });
    expect(await storedIn(rows[0]!.roomId)).toEqual([]);
  });

  test('is not stored at a seq that is taken', async () => {
    const rows = rowsOf(randomUUID(), seqs);
    const view = await look();
    await append(rows.slice(0, 1), view);
    await expect(append(rowsOf(rows[0]!.roomId, seqs), view)).rejects.toMatchObject({ code: '23505' });
    expect(await storedIn(rows[0]!.roomId)).toHaveLength(1);
  });
});
