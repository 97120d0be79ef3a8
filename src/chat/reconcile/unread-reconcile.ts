/**
 * Compares what the product shows as unread with a plain recount, for some users at one moment: the welcome, the list of
 * rooms, the answer of a read, and the list of threads. All of them come from queries of their own.
 */
import type { Sql } from '../../database/connect.ts';
import { createReadRepository } from '../reads/read-repository.ts';
import { createRoomLists } from '../rooms/room-list-repository.ts';
import { createThreadRepository } from '../threads/thread-repository.ts';
import { type Counted, listUserIds, recountRooms, recountThreads } from './recount-repository.ts';

export const countKinds = ['welcome', 'room list', 'read', 'threads'] as const;
export type CountKind = (typeof countKinds)[number];

interface Shown {
  readonly unread: number;
  readonly mentions: number;
}

/** A count that the product shows, and what there is. Undefined: the product does not list it, or there is nothing to list. */
export interface Difference {
  readonly kind: CountKind;
  readonly userId: string;
  readonly roomId: string;
  readonly threadId?: string;
  readonly shown: Shown | undefined;
  readonly counted: Shown | undefined;
}

export interface Comparison {
  /** Counts compared, by kind. */
  readonly checked: Readonly<Record<CountKind, number>>;
  readonly differences: readonly Difference[];
}

/** More than anything there is: the bounds of what is shown do not count as drift. */
const unbounded = 2_000_000_000;

/** Runs at one moment of the database. Writes nothing. */
export function compareUnread(sql: Sql, userIds: readonly string[]): Promise<Comparison> {
  return sql.begin('isolation level repeatable read read only', (tx) =>
    compareAt(tx as unknown as Sql, userIds),
  ) as Promise<Comparison>;
}

async function compareAt(sql: Sql, userIds: readonly string[]): Promise<Comparison> {
  const [rooms, threads] = [await recountRooms(sql, userIds), await recountThreads(sql, userIds)];
  const shown: Readonly<Record<CountKind, readonly ShownCount[]>> = await readShown(sql, userIds, rooms);
  const differences = countKinds.flatMap((kind) =>
    differencesOf(kind, shown[kind], kind === 'threads' ? threads : rooms),
  );
  const count = (kind: CountKind) => (kind === 'threads' ? threads.length : rooms.length);
  const checked = Object.fromEntries(countKinds.map((kind) => [kind, count(kind)])) as Record<CountKind, number>;
  return { checked, differences };
}

type ShownCount = Shown & Pick<Counted, 'userId' | 'roomId' | 'threadId'>;

async function readShown(
  sql: Sql,
  userIds: readonly string[],
  members: readonly Counted[],
): Promise<Record<CountKind, ShownCount[]>> {
  const lists = createRoomLists({
    sql,
    settings: { unreadMax: unbounded, unreadTotal: unbounded, roomsPerSocket: unbounded },
  });
  const threads = createThreadRepository(sql, unbounded);
  const reads = await createReadRepository(sql, unbounded).readStates(members);
  const shown: Record<CountKind, ShownCount[]> = {
    ...{ welcome: [], 'room list': [], threads: [] },
    read: reads.map((state, index) => ({ ...state, ...keyOf(members[index]!) })),
  };
  for (const userId of userIds) {
    const { followed } = await lists.followedRooms(userId);
    shown.welcome.push(...followed.map((room) => ({ ...room, userId, roomId: room.id })));
    const own = await lists.ownRooms(userId, undefined, unbounded);
    shown['room list'].push(...own.map((room) => ({ ...room, userId, roomId: room.id })));
    const followedThreads = await threads.list(userId, { unreadOnly: false, after: undefined, limit: unbounded });
    shown.threads.push(...followedThreads.map((thread) => ({ ...thread, userId })));
  }
  return shown;
}

function keyOf({ userId, roomId, threadId }: Pick<Counted, 'userId' | 'roomId' | 'threadId'>) {
  return threadId === undefined ? { userId, roomId } : { userId, roomId, threadId };
}

function differencesOf(kind: CountKind, shown: readonly ShownCount[], counted: readonly Counted[]): Difference[] {
  const left = new Map(shown.map((each) => [JSON.stringify(keyOf(each)), each]));
  const right = new Map(counted.map((each) => [JSON.stringify(keyOf(each)), each]));
  return [...new Set([...left.keys(), ...right.keys()])].flatMap((key) => {
    const [here, there] = [left.get(key), right.get(key)];
    if (here && there && here.unread === there.unread && here.mentions === there.mentions) return [];
    return [{ kind, ...keyOf((here ?? there)!), shown: countsOf(here), counted: countsOf(there) }];
  });
}

function countsOf(counts: Shown | undefined): Shown | undefined {
  return counts && { unread: counts.unread, mentions: counts.mentions };
}

/** Compares all users, page by page. */
export async function* compareAllUnread(sql: Sql, usersPerPage: number): AsyncIterable<Comparison> {
  for (let after: string | undefined; ; ) {
    const userIds = await listUserIds(sql, after, usersPerPage);
    if (userIds.length > 0) yield await compareUnread(sql, userIds);
    if (userIds.length < usersPerPage) return;
    after = userIds.at(-1);
  }
}
