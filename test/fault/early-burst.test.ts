/** Many sends in the first moment of a process: each gets its verdict, or is refused at once with a time to retry. */
import { expect, onTestFinished, test } from 'vitest';
import { startFleet, startSingle } from '../harness/stack.ts';
import { connect, createRoom, type Frame, signUp, type TestUser } from '../harness/test-client.ts';

const sends = 2000;

interface Told {
  readonly stored: boolean;
  readonly code: string | undefined;
  readonly message: string | undefined;
  readonly retryAfterMs: number | undefined;
}

type Say = (person: number, text: string, clientId: string) => Promise<Told>;

/** How people send over sockets, one each. */
async function overSockets(url: string, people: readonly TestUser[], room: string): Promise<Say> {
  const sockets = await Promise.all(people.map((each) => connect(url, each)));
  const read = ({ type, code, message, retryAfterMs }: Frame): Told => ({
    stored: type === 'ack',
    code,
    message: message as string | undefined,
    retryAfterMs: retryAfterMs as number | undefined,
  });
  return async (person, text, clientId) => read(await sockets[person]!.say(room, text, clientId));
}

async function overRest(_url: string, people: readonly TestUser[], room: string): Promise<Say> {
  return async (person, text, clientId) => {
    const { status, body, headers } = await people[person]!.call('POST', `/v1/rooms/${room}/messages`, {
      clientId,
      text,
    });
    const { code, detail } = body as { code?: string; detail?: string };
    const seconds = headers.get('retry-after');
    return {
      stored: status === 201 || status === 200,
      code,
      message: detail,
      retryAfterMs: seconds === null ? undefined : Number(seconds) * 1000,
    };
  };
}

const starts = {
  'one process': async (settings: Record<string, string>) => {
    const { url, end } = await startSingle(settings);
    return { url, end };
  },
  'a chat and a processing instance': async (settings: Record<string, string>) => {
    const fleet = await startFleet({ chats: 1, processings: 1, settings });
    return { url: fleet.chats[0]!.url, end: fleet.end };
  },
};

test.each([
  ['one process', 'sockets', overSockets, {}],
  ['one process', 'REST', overRest, {}],
  ['a chat and a processing instance', 'sockets', overSockets, {}],
] as const)(
  '%s takes 2,000 sends over %s right after its start: none is judged too late, and all are stored once',
  async (stack, _, way, settings) => {
    const { url, end } = await starts[stack](settings);
    onTestFinished(end);
    const people = await Promise.all(Array.from({ length: 20 }, () => signUp(url)));
    const room = await createRoom(people);
    const say = await way(url, people, room);
    const refusals: Told[] = [];
    /** Like a client: sends the same key again after `retryAfterMs`. */
    async function sayUntilStored(n: number): Promise<void> {
      for (;;) {
        const told = await say(n % people.length, `message ${n}, about something else`, `key-${n}`);
        if (told.stored) return;
        refusals.push(told);
        expect(told.retryAfterMs).toBeGreaterThan(0);
        await new Promise((wake) => setTimeout(wake, told.retryAfterMs));
      }
    }
    await Promise.all(Array.from({ length: sends }, (_each, n) => sayUntilStored(n)));
    expect(
      refusals.filter(({ code }) => !['unavailable', 'rate_limited', 'outcome_unknown'].includes(code ?? '')),
    ).toEqual([]);
    expect(refusals.filter(({ message }) => message === 'no verdict in time')).toEqual([]);
    const [mine] = (await people[0]!.call('GET', '/v1/rooms')).body.items as { seq: number }[];
    const joins = people.length;
    expect(mine!.seq).toBe(sends + joins);
  },
);
