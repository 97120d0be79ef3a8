/** The users of a chaos run, their rooms, and what they do until the run ends. */
import { setTimeout as pause } from 'node:timers/promises';
import { ClientError } from '../../src/client/parley-client.ts';
import { signUp } from '../harness/test-client.ts';
import { type ChaosClient, isDefinite, startChaosClient } from './chaos-client.ts';
import type { RoomFacts } from './entitlement.ts';
import { untilDone } from './patience.ts';
import { type RestSender, startRestSender } from './rest-sender.ts';
import { type RoomWatcher, startRoomWatcher } from './room-watcher.ts';
import type { Ban } from './state-checker.ts';
import { type Strangers, startStrangers } from './strangers.ts';

export interface ChaosTown {
  readonly people: readonly ChaosClient[];
  readonly senders: readonly RestSender[];
  readonly strangers: Strangers;
  readonly watchers: readonly RoomWatcher[];
  /** Each room as it was created. */
  readonly rooms: ReadonlyMap<string, Pick<RoomFacts, 'history' | 'visibility'>>;
  readonly bans: readonly Ban[];
  /** Starts no new requests. Resolves when all pending ones are answered. */
  readonly settle: () => Promise<void>;
  readonly leave: () => Promise<void>;
}

interface Room {
  readonly id: string;
  readonly history: 'all' | 'joined';
  readonly visibility: 'public' | 'private';
  readonly owner: ChaosClient;
}

const endless = Number.MAX_SAFE_INTEGER;

export async function startChaosTown(url: string, seed: number): Promise<ChaosTown> {
  const people = await Promise.all(Array.from({ length: 6 }, (_, at) => startChaosClient(url, `p${seed}x${at}`)));
  const senders = await Promise.all([0, 1, 2].map((at) => startRestSender(url, `r${seed}x${at}`)));
  const onlookers = await Promise.all([0, 1].map((at) => untilDone(() => signUp(url, `w${seed}x${at}`))));
  const strangers = await startStrangers(url, seed);
  const everybody = [...people, ...senders].map(({ userId }) => userId);

  async function makeRoom(at: number, visibility: 'public' | 'private', history: 'all' | 'joined'): Promise<Room> {
    const owner = people[at]!;
    const { id } = await untilDone(() =>
      owner.client.call<{ id: string }>('POST', '/v1/rooms', {
        name: `Room ${at}`,
        visibility,
        history,
        memberIds: everybody.filter((userId) => userId !== owner.userId),
      }),
    );
    return { id, history, visibility, owner };
  }

  /** The room of the strangers; two users read it. */
  async function makeCrowded(): Promise<Room> {
    const [owner, reader] = people as [ChaosClient, ChaosClient];
    const { id } = await untilDone(() =>
      owner.client.call<{ id: string }>('POST', '/v1/rooms', {
        name: 'Crowded',
        visibility: 'private',
        history: 'all',
        memberIds: [reader.userId, ...strangers.userIds],
      }),
    );
    return { id, history: 'all', visibility: 'private', owner };
  }

  const quiet = await makeRoom(0, 'private', 'all');
  const churning = await makeRoom(1, 'private', 'joined');
  const open = await makeRoom(2, 'public', 'all');
  const rooms = [quiet, churning, open];
  const crowded = await makeCrowded();
  for (const { client } of people) client.connect();
  while (people.some(({ client }) => client.state().name !== 'live')) await pause(20);
  const watchers = onlookers.map((user) => startRoomWatcher(url, user, open.id));

  let busy = true;
  const bans: Ban[] = [];

  async function talk(person: ChaosClient, { id }: Room): Promise<void> {
    while (busy) {
      const dice = Math.random();
      if (dice < 0.75) await person.say(id);
      else if (dice < 0.85) await person.change(id, 'message.updated');
      else if (dice < 0.9) await person.change(id, 'message.deleted');
      else await person.mark(id);
      await pause(20 + Math.random() * 80);
    }
  }

  async function write(sender: RestSender, { id }: Room): Promise<void> {
    while (busy) {
      await sender.say(id);
      await pause(50 + Math.random() * 100);
    }
  }

  /** Revokes a right for a while. An act counts as a violation only while the right was certainly revoked and not yet restored. */
  async function banish(
    userId: string,
    { id: roomId, owner }: Room,
    take: readonly [string, string, unknown?],
    give: readonly [string, string, unknown?],
  ): Promise<void> {
    const taken = await insist(owner, take);
    const ban = { userId, roomId, fromMs: performance.now(), toMs: endless };
    if (taken) bans.push(ban);
    await pause(200 + Math.random() * 800);
    ban.toMs = performance.now();
    await insist(owner, give);
  }

  async function rule(room: Room): Promise<void> {
    while (busy) {
      await pause(200 + Math.random() * 600);
      const others = everybody.filter((userId) => userId !== room.owner.userId);
      const userId = others[Math.floor(Math.random() * others.length)]!;
      const member = `/v1/rooms/${room.id}/members/${userId}`;
      if (Math.random() < 0.6) await banish(userId, room, ['DELETE', member], ['PUT', member, {}]);
      else await banish(userId, room, ['PUT', `${member}/mute`, { seconds: 600 }], ['DELETE', `${member}/mute`]);
    }
  }

  async function openAndClose({ id, owner }: Room): Promise<void> {
    while (busy) {
      await pause(500 + Math.random() * 1500);
      for (const visibility of ['private', 'public']) await insist(owner, ['PATCH', `/v1/rooms/${id}`, { visibility }]);
    }
  }

  /** Leaves a public room and joins it again. */
  async function comeAndGo(person: ChaosClient, { id }: Room): Promise<void> {
    while (busy) {
      await pause(500 + Math.random() * 1500);
      const membership = `/v1/rooms/${id}/members/me`;
      await attempt(person, ['DELETE', membership]);
      await attempt(person, ['PUT', membership, {}]);
    }
  }

  const doings = [
    ...people.flatMap((person) => rooms.map((room) => talk(person, room))),
    ...senders.flatMap((sender) => rooms.map((room) => write(sender, room))),
    rule(churning),
    openAndClose(open),
    comeAndGo(people[3]!, open),
    comeAndGo(people[4]!, open),
    strangers.talk(crowded.id, () => busy),
  ];

  return {
    people,
    senders,
    strangers,
    watchers,
    rooms: new Map([...rooms, crowded].map(({ id, history, visibility }) => [id, { history, visibility }])),
    bans,
    settle: async () => {
      busy = false;
      await Promise.all(doings);
    },
    leave: async () => {
      for (const { client } of people) client.disconnect();
      await Promise.all(watchers.map((watcher) => watcher.stop()));
    },
  };
}

type Doing = readonly [method: string, path: string, body?: unknown];

async function attempt({ client }: ChaosClient, [method, path, body]: Doing): Promise<'done' | 'refused' | 'unknown'> {
  try {
    await client.call(method, path, body);
    return 'done';
  } catch (error) {
    if (!(error instanceof ClientError)) throw error;
    return isDefinite(error) && !error.retryable ? 'refused' : 'unknown';
  }
}

/** Repeats a call until it succeeded or was definitely refused. @returns whether it succeeded */
async function insist(owner: ChaosClient, doing: Doing): Promise<boolean> {
  for (let tries = 0; tries < 40; tries++) {
    const outcome = await attempt(owner, doing);
    if (outcome !== 'unknown') return outcome === 'done';
    await pause(300);
  }
  return false;
}
