/** Two chat instances, one processing instance, and the people of a moderated room. */
import postgres from 'postgres';
import { type BorrowedFleet, borrowFleet } from '../harness/borrowed-fleet.ts';
import { type Fleet, startFleet } from '../harness/stack.ts';
import { callApi, createRoom, mustCall, signUp, type TestUser } from '../harness/test-client.ts';

export interface Town<F extends Fleet | BorrowedFleet = Fleet | BorrowedFleet> {
  readonly fleet: F;
  /** Addresses of the two chat instances. */
  readonly here: string;
  readonly there: string;
  readonly sql: postgres.Sql;
  /** A logged-in member of staff. */
  readonly hire: (role: 'moderator' | 'admin') => Promise<TestUser>;
  readonly end: () => Promise<void>;
}

/** On a fleet that has judged and learned for other files before. */
export async function borrowTown(): Promise<Town<BorrowedFleet>> {
  return townOf(await borrowFleet('moderation'));
}

/** On a fleet of its own, whose engine has learned nothing. */
export async function startTown(settings: Readonly<Record<string, string>> = {}): Promise<Town<Fleet>> {
  return townOf(await startFleet({ chats: 2, processings: 1, settings }));
}

function townOf<F extends Fleet | BorrowedFleet>(fleet: F): Town<F> {
  const [here, there] = fleet.chats.map(({ url }) => url) as [string, string];
  const sql = postgres(fleet.database.url, { max: 2, onnotice: () => {} });
  return {
    fleet,
    here,
    there,
    sql,
    hire: async (role) => {
      const person = await signUp(here);
      await sql`update users set role = ${role} where id = ${person.id}`;
      return logIn(here, person);
    },
    end: async () => {
      await sql.end();
      await fleet.end();
    },
  };
}

/** A new session of the same user. @throws Error with the answer when it is refused */
export async function logIn(url: string, person: TestUser): Promise<TestUser> {
  const { status, body } = await callApi(url, 'POST', '/v1/auth/login', {
    login: person.username,
    password: person.password,
  });
  if (status !== 200) throw new Error(`the login was answered ${status}: ${JSON.stringify(body)}`);
  const fresh = person.at(url);
  fresh.accessToken = body.accessToken as string;
  fresh.refreshToken = body.refreshToken as string;
  return fresh;
}

export interface Square {
  readonly roomId: string;
  readonly owner: TestUser;
  readonly author: TestUser;
  readonly reader: TestUser;
}

/** A room with an owner, an author and a reader. */
export async function openSquare(url: string, room: Record<string, unknown> = {}): Promise<Square> {
  const [owner, author, reader] = (await Promise.all([1, 2, 3].map(() => signUp(url)))) as [
    TestUser,
    TestUser,
    TestUser,
  ];
  return { roomId: await createRoom([owner, author, reader], room), owner, author, reader };
}

let nextKey = 0;

/** Sends a text and returns the message. */
export async function say(
  person: TestUser,
  roomId: string,
  text: string,
): Promise<Record<string, unknown> & { id: string; seq: number }> {
  return (await mustCall(person, 'POST', `/v1/rooms/${roomId}/messages`, {
    clientId: `say-${nextKey++}`,
    text,
  })) as never;
}

/** Reports a message and returns the id of its queue entry. */
export async function report(
  person: TestUser,
  roomId: string,
  messageId: string,
  reason = 'this is spam',
): Promise<string> {
  const { id } = await mustCall(person, 'POST', `/v1/rooms/${roomId}/messages/${messageId}/report`, { reason });
  return id as string;
}

export type Entry = Record<string, unknown> & {
  id: string;
  state: string;
  message: { id: string; text: string; deletedAt: string | null };
};

export async function queueOf(moderator: TestUser, query: string): Promise<Entry[]> {
  return (await mustCall(moderator, 'GET', `/v1/moderation/queue?${query}`)).items as never;
}
