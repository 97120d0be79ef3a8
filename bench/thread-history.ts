/**
 * Reads pages of a thread beside pages of its room of the same size, and room pages whose messages all start threads. Every page
 * is at another place and is read from Postgres: none comes from the cache. The server and its Postgres share a core.
 */
import { asking } from './history.ts';
import { type Row, serverCore } from './measure.ts';
import { interleave, type Summary, toRow } from './rounds.ts';
import { startParleyServer } from './systems.ts';
import { type Person, startTown, type Town } from './town.ts';

const pageSize = 50;
const pagesPerRound = 1500;
/** Messages of the thread, and as many of the room beside them. */
const messages = 100_000;
/** Of the second room: each message starts a thread with this many messages. */
const roots = 5000;
const repliesEach = 20;

const text = `'Shall we meet at the usual place around noon tomorrow? Number ' || s`;

/** A room of which every other message is in one thread. @returns its id and that of the thread */
async function fillThread(town: Town, owner: Person): Promise<{ room: string; thread: string }> {
  const [room] = await town.addRooms([[owner]]);
  await town.sql`
    insert into events (room_id, seq, type, at, actor_id, message_id, client_id, digest, text, html, mentions)
    select ${room!}, s, 'message.created', now(), ${owner.id}, uuidv7(), 'k' || s, 0, ${town.sql.unsafe(text)}, '<p>' || ${town.sql.unsafe(text)} || '</p>', '{}'
    from generate_series(2, ${2 * messages + 1}, 2) s`;
  const [root] = await town.sql<
    { id: string }[]
  >`select message_id as id from events where room_id = ${room!} and seq = 2`;
  await town.sql`
    insert into events (room_id, seq, type, at, actor_id, message_id, client_id, digest, text, html, mentions, thread_id)
    select ${room!}, s, 'message.created', now(), ${owner.id}, uuidv7(), 'k' || s, 0, ${town.sql.unsafe(text)}, '<p>' || ${town.sql.unsafe(text)} || '</p>', '{}', ${root!.id}
    from generate_series(3, ${2 * messages + 1}, 2) s`;
  await town.sql`insert into threads (thread_id, room_id) values (${root!.id}, ${room!})`;
  return { room: room!, thread: root!.id };
}

/** A room of messages that all start a thread. */
async function fillRoots(town: Town, owner: Person): Promise<string> {
  const [room] = await town.addRooms([[owner]]);
  await town.sql`
    insert into events (room_id, seq, type, at, actor_id, message_id, client_id, digest, text, html, mentions)
    select ${room!}, s, 'message.created', now(), ${owner.id}, uuidv7(), 'k' || s, 0, ${town.sql.unsafe(text)}, '<p>' || ${town.sql.unsafe(text)} || '</p>', '{}'
    from generate_series(2, ${roots + 1}) s`;
  await town.sql`
    insert into events (room_id, seq, type, at, actor_id, message_id, client_id, digest, text, html, mentions, thread_id)
    select ${room!}, ${roots + 1} + row_number() over (order by n, r.seq), 'message.created', now(), ${owner.id}, uuidv7(), 'r' || r.seq || '-' || n, 0,
      r.text, r.html, '{}', r.message_id
    from generate_series(1, ${repliesEach}) n, events r where r.room_id = ${room!} and r.type = 'message.created'`;
  await town.sql`
    insert into threads (thread_id, room_id) select distinct thread_id, room_id from events where room_id = ${room!} and thread_id is not null`;
  return room!;
}

/** @param seqs the last seq of the places. @returns a maker of paths of pages that are asked for once each */
function places(path: string, seqs: number): () => readonly string[] {
  return () =>
    Array.from({ length: pagesPerRound }, () => {
      const before = 2 * pageSize + 2 + Math.floor(Math.random() * (seqs - 2 * pageSize));
      return `${path}before=${before}&limit=${pageSize}`;
    });
}

export async function threadHistory(): Promise<Row[]> {
  const town = await startTown(serverCore);
  const [owner] = await town.addPeople(1);
  await town.sql`set synchronous_commit = off`;
  const { room, thread } = await fillThread(town, owner!);
  const rooted = await fillRoots(town, owner!);
  await town.sql.unsafe('vacuum analyze events');
  const server = await startParleyServer(town, { role: 'chat' });
  const whole = { server, pids: [server.child.pid!, town.pid], token: owner!.token };
  const last = 2 * messages + 1;
  const [plain, threaded, summaries] = await interleave([
    asking('A page of the room', whole, pagesPerRound, places(`/v1/rooms/${room}/messages?`, last)),
    asking(
      'A page of the thread',
      whole,
      pagesPerRound,
      places(`/v1/rooms/${room}/messages?threadId=${thread}&`, last),
    ),
    asking(
      `A page of a room, each message with a thread of ${repliesEach}`,
      ...([whole, pagesPerRound, places(`/v1/rooms/${rooted}/messages?`, roots)] as const),
    ),
  ]);
  await server.stop();
  await town.end();
  const beside = (own: Summary, least: number) => toRow(own, { ratio: own.rate / plain!.rate, goal: { least } });
  return [toRow(plain!), beside(threaded!, 0.7), beside(summaries!, 0.3)];
}
