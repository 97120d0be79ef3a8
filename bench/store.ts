/**
 * The store alone: Parley's event log in this process. Baseline: an application's inserts per message. Rates, and latency of an ack.
 */
import { randomUUID } from 'node:crypto';
import { sql as drizzleSql } from 'drizzle-orm';
import pino from 'pino';
import { Registry } from 'prom-client';
import { startRevocations } from '../src/auth/sessions/revocations.ts';
import { createEventLog } from '../src/chat/events/event-log.ts';
import { createLogReader } from '../src/chat/events/log-reader.ts';
import { recordFlag } from '../src/chat/messages/flag-repository.ts';
import { createRoomLoader } from '../src/chat/rooms/room-state-repository.ts';
import { contentDigest } from '../src/chat/state/message-text.ts';
import type { RoomState } from '../src/chat/state/room-state.ts';
import { loadConfig } from '../src/config/load.ts';
import { connectDatabase, connectSql, type Sql } from '../src/database/connect.ts';
import { createFreshnessBatch } from '../src/database/freshness-batch.ts';
import { newId } from '../src/database/new-id.ts';
import { events } from '../src/database/tables/event-tables.ts';
import { createOutages } from '../src/logger/outages.ts';
import { createLocalHints } from '../src/realtime/cluster/hints.ts';
import { startLogEpoch } from '../src/realtime/cluster/log-epoch.ts';
import { createHub } from '../src/realtime/feed/hub.ts';
import { createChatMetrics } from '../src/roles/wiring/chat-metrics.ts';
import { createMessageParts } from '../src/roles/wiring/message-parts.ts';
import { createProfiles, type PublicProfile } from '../src/user/profile/profiles.ts';
import { onServerCore, type Row, serverCore } from './measure.ts';
import { type Contender, interleave, type Summary, toRow } from './rounds.ts';
import { type Person, startTown, type Town } from './town.ts';

const text = 'Shall we meet at the usual place around noon tomorrow? Bring the drawings, please.';
const html = `<p>${text}</p>\n`;
const connection = (town: Town) => ({ url: town.url, statementTimeout: 10_000, connectTimeout: 5000 });

/** Keeps `inFlight` calls going until `total` are done, round after round. Calls are numbered across rounds. */
function contender(what: string, inFlight: number, total: number, call: (n: number) => Promise<unknown>): Contender {
  let next = 0;
  return {
    what,
    round: async () => {
      const latencies: number[] = [];
      const end = next + total;
      const startedMs = performance.now();
      await Promise.all(
        Array.from({ length: inFlight }, async () => {
          while (next < end) {
            const n = next++;
            const begunMs = performance.now();
            await call(n);
            latencies.push(performance.now() - begunMs);
          }
        }),
      );
      return { rate: total / ((performance.now() - startedMs) / 1000), latencies };
    },
  };
}

async function openStore(town: Town) {
  const logger = pino({ level: 'silent' });
  const { db, close } = connectDatabase({ ...connection(town), poolSize: 4, name: 'bench' });
  const sql = connectSql({ ...connection(town), poolSize: 4, name: 'reads' });
  const metrics = createChatMetrics(new Registry());
  const profiles = createProfiles({ sql, settings: { max: 10_000, ttlMs: 60_000 } });
  const look = createFreshnessBatch(sql);
  const { extras, writers } = createMessageParts({
    config: loadConfig([], {}).config,
    db,
    profiles,
    linkKey: Buffer.alloc(32),
  });
  const reader = createLogReader({ sql, freshness: look, profiles, extras, settings: { concurrency: 16 } });
  const hub = createHub<RoomState>({
    log: { load: createRoomLoader(sql), read: reader.read, heads: reader.heads },
    hints: createLocalHints(),
    onRevocationHint: () => {},
    onMissing: () => {},
    membership: { joined: async () => undefined, left: () => '' },
    metrics: metrics.hub,
    logger,
    settings: {
      headCheck: 60_000,
      deliverySlice: 1000,
      roomsCached: 20_000,
      membersCached: 500_000,
      recentEvents: 256,
      recentBytes: 262_144,
      recentBytesTotal: 268_435_456,
      replayPageEvents: 500,
      resumeMaxEvents: 5000,
    },
  });
  const memories = { keep: () => {}, recall: async () => [], stop: async () => {} };
  const identity = await startLogEpoch({
    ...{ sql, look, memories, logger },
    settings: { checkMs: 60_000, restartWaitMs: 0 },
  });
  const revocations = await startRevocations({ sql, look, logger, settings: { memoryMs: 900_000, pollMs: 2000 } });
  const eventLog = createEventLog({
    db,
    openConnection: () => connectSql({ ...connection(town), poolSize: 1, planOnce: true, name: 'lane' }),
    hub,
    reader,
    epoch: identity,
    revocations,
    writers,
    recordFlag,
    metrics: metrics.eventLog,
    logger,
    outage: createOutages(logger, 60_000).of('Postgres'),
    settings: {
      connections: 2,
      batchMax: 512,
      perRoomMax: 5000,
      sendQueueMax: 50_000,
      sendTimeout: 20_000,
      admissionMs: 500,
      commitTimeout: 10_000,
      lockTimeoutMs: undefined,
      previews: false,
      mailDelay: 600_000,
    },
  });

  const profileOf = new Map<string, PublicProfile>();

  async function send(roomId: string, { id }: Person): Promise<void> {
    const feed = (await hub.feed(roomId))!;
    const profile = profileOf.get(id) ?? { id, username: 'u', displayName: 'Person', avatarUrl: null };
    profileOf.set(id, profile);
    await eventLog.append({
      feed,
      roomId,
      authorId: id,
      actor: { userId: id, role: 'user' },
      sessionId: undefined,
      sender: profile,
      messageId: newId(),
      clientId: randomUUID(),
      allowedAt: feed.position,
      epoch: identity.epoch(),
      admittedMs: performance.now(),
      isOpen: () => true,
      digest: contentDigest(text, null),
      text,
      html,
      mentions: [],
      mentionsAll: null,
      replyTo: null,
      threadId: null,
      alsoInRoom: false,
      parts: undefined,
      flag: undefined,
    });
  }

  return {
    send,
    stop: async () => {
      hub.stop();
      await identity.stop();
      revocations.stop();
      await eventLog.stop();
      await Promise.all([close(), sql.end()]);
    },
  };
}

/** A new room each time, so that no baseline waits for another's row locks. */
async function withCte(sql: Sql, roomId: string, userId: string): Promise<void> {
  await sql`
    with room as (update bench_rooms set seq = seq + 1 where id = ${roomId} returning seq)
    insert into bench_messages (room_id, seq, id, sender_id, client_id, text, html)
    select ${roomId}, room.seq, ${randomUUID()}, ${userId}, ${randomUUID()}, ${text}, ${html} from room`;
}

/** The inserting process and Postgres share one core, as in the other benchmarks. */
export async function storeAlone(): Promise<Row[]> {
  return onServerCore(measureStores);
}

async function measureStores(): Promise<Row[]> {
  const town = await startTown(serverCore);
  const people = await town.addPeople(256);
  const rooms = await town.addRooms(Array.from({ length: 1000 }, (_, at) => [people[at % people.length]!]));
  const hot = await town.addRoom(people);
  const raw = connectSql({ ...connection(town), poolSize: 10, name: 'raw' });
  await raw.unsafe(`create table bench_rooms (id uuid primary key, seq bigint not null default 0);
    create table bench_messages (room_id uuid, seq bigint, id uuid unique, sender_id uuid, client_id text, text text, html text, at timestamptz default now(), primary key (room_id, seq), unique (room_id, sender_id, client_id))`);
  await raw`insert into bench_rooms (id) select unnest(${[hot, ...rooms]}::uuid[])`;
  const { db, close } = connectDatabase({ ...connection(town), poolSize: 10, name: 'naive' });
  const naiveRoom = randomUUID();
  const drizzle = (n: number) =>
    db.insert(events).values({
      roomId: naiveRoom,
      seq: n + 1,
      type: 'message.created',
      at: drizzleSql`now()`,
      actorId: naiveRoom,
      messageId: randomUUID(),
      clientId: `c${n}`,
      text,
      html,
    });
  const bare = () =>
    raw`insert into bench_messages (room_id, seq, id, sender_id, client_id, text, html) values (${randomUUID()}, 1, ${randomUUID()}, ${people[0]!.id}, ${randomUUID()}, ${text}, ${html})`;

  const store = await openStore(town);
  const own = (n: number) => store.send(rooms[n % 1000]!, people[(n % 1000) % people.length]!);
  // Latencies first: after many inserts Postgres vacuums and writes on this core, the more the more was stored.
  const [oneBare, one] = await interleave([
    contender('bare postgres.js insert, 1 in flight', 1, 500, bare),
    contender('Parley, 1 in flight', 1, 500, () => store.send(rooms[0]!, people[0]!)),
  ]);
  const [manyCte, many] = await interleave([
    contender('CTE per message, 64 in flight', 64, 2000, (n) => withCte(raw, rooms[n % 1000]!, people[n % 256]!.id)),
    contender('Parley, 64 in flight', 64, 10_000, own),
  ]);
  const [naive, ours] = await interleave([
    contender('Drizzle insert per message, 1,024 in flight', 1024, 3000, drizzle),
    contender('Parley, 1,024 in flight over 1,000 rooms', 1024, 20_000, own),
  ]);
  const [hotNaive, hotOurs] = await interleave([
    contender('one hot room, CTE per message, 256 senders', 256, 1500, (n) => withCte(raw, hot, people[n % 256]!.id)),
    contender('Parley, one hot room, 256 senders', 256, 20_000, (n) => store.send(hot, people[n % 256]!)),
  ]);
  await close();
  await store.stop();
  await raw.end();
  await town.end();
  const times = (own: number, peer: number) => `${(own / peer).toFixed(2)} ×`;
  const beside = (own: Summary, peer: Summary, more: Partial<Row> = {}): Row[] => [
    toRow(peer, { ratio: 1 }),
    toRow(own, { ratio: own.rate / peer.rate, ...more }),
  ];
  return [
    ...beside(ours!, naive!, { goal: { least: 25 } }),
    ...beside(hotOurs!, hotNaive!, {
      goal: { least: 12 },
      note: `p99 ${times(hotOurs!.p99!, hotNaive!.p99!)}, goal ≤ 0.1`,
    }),
    ...beside(one!, oneBare!, { note: `p50 ${times(one!.p50!, oneBare!.p50!)}, goal ≤ 1.5` }),
    ...beside(many!, manyCte!, {
      note: `p50 ${times(many!.p50!, manyCte!.p50!)}, goal ≤ 0.35; p99 ${times(many!.p99!, manyCte!.p99!)}, goal ≤ 0.6`,
    }),
  ];
}
