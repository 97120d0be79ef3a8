/** A plain client of the public API for tests: REST with a token, and a socket whose every frame is kept. */
import { randomBytes } from 'node:crypto';
import { WebSocket } from 'ws';

export interface Frame {
  readonly type: string;
  readonly id?: string | number;
  readonly roomId?: string;
  readonly seq?: number;
  readonly code?: string;
  readonly data?: Record<string, unknown>;
  readonly [key: string]: unknown;
}

export interface Answer {
  readonly status: number;
  readonly body: Record<string, unknown> & { items?: Record<string, unknown>[] };
  readonly headers: Headers;
}

export interface TestUser {
  readonly id: string;
  readonly username: string;
  readonly email: string;
  readonly password: string;
  accessToken: string;
  refreshToken: string;
  /** Calls the API with the user's token. */
  readonly call: (method: string, path: string, body?: unknown, headers?: Record<string, string>) => Promise<Answer>;
  /** The same, on another instance. */
  readonly at: (url: string) => TestUser;
}

export async function callApi(
  url: string,
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const response = await fetch(url + path, {
    method,
    headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
    redirect: 'manual',
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  const isJson = response.headers.get('content-type')?.includes('json') ?? false;
  return {
    status: response.status,
    body: isJson && text ? (JSON.parse(text) as Answer['body']) : { text },
    headers: response.headers,
  };
}

/** Calls and insists on a success. */
export async function mustCall(
  user: TestUser,
  method: string,
  path: string,
  body?: unknown,
): Promise<Record<string, unknown> & { items?: Record<string, unknown>[] }> {
  const answer = await user.call(method, path, body);
  if (answer.status >= 300)
    throw new Error(`${method} ${path} answered ${answer.status}: ${JSON.stringify(answer.body)}`);
  return answer.body;
}

function asUser(
  url: string,
  login: { id: string; username: string; email: string; password: string; accessToken: string; refreshToken: string },
): TestUser {
  const user: TestUser = {
    ...login,
    call: (method, path, body, headers) =>
      callApi(url, method, path, body, { authorization: `Bearer ${user.accessToken}`, ...headers }),
    at: (other) => asUser(other, { ...login, accessToken: user.accessToken, refreshToken: user.refreshToken }),
  };
  return user;
}

export async function signUp(url: string, name = `u${randomBytes(5).toString('hex')}`): Promise<TestUser> {
  const password = `pass-${randomBytes(6).toString('hex')}`;
  const email = `${name}@example.org`;
  const { status, body } = await callApi(url, 'POST', '/v1/auth/register', { username: name, email, password });
  if (status !== 201) throw new Error(`registering answered ${status}: ${JSON.stringify(body)}`);
  const { user, accessToken, refreshToken } = body as {
    user: { id: string };
    accessToken: string;
    refreshToken: string;
  };
  return asUser(url, { id: user.id, username: name, email, password, accessToken, refreshToken });
}

export interface TestSocket {
  readonly frames: readonly Frame[];
  /** Durable events of a room, in the order of arrival. */
  readonly events: (roomId: string) => Frame[];
  /** Texts of the messages that came for a room. */
  readonly texts: (roomId: string) => string[];
  /** Sends a frame and resolves with its answer. */
  readonly ask: (frame: Record<string, unknown>) => Promise<Frame>;
  readonly sendRaw: (data: string | Buffer) => void;
  readonly say: (roomId: string, text: string, clientId?: string) => Promise<Frame>;
  /** Resolves with the first frame, past or future, that fits. */
  readonly until: (fits: (frame: Frame) => boolean, timeoutMs?: number) => Promise<Frame>;
  readonly closed: Promise<{ code: number; reason: string }>;
  readonly socket: WebSocket;
  readonly close: () => Promise<void>;
}

let nextId = 0;

/** Opens a socket without saying hello. */
export async function openSocket(url: string, headers: Record<string, string> = {}): Promise<TestSocket> {
  const socket = new WebSocket(`${url.replace(/^http/, 'ws')}/v1/ws`, 'parley.v1', { headers });
  const frames: Frame[] = [];
  const waiting = new Set<() => void>();
  const closed = new Promise<{ code: number; reason: string }>((resolve) => {
    socket.on('close', (code, reason) => {
      resolve({ code, reason: reason.toString() });
      for (const look of waiting) look();
    });
  });
  socket.on('message', (data: Buffer) => {
    frames.push(JSON.parse(data.toString()) as Frame);
    for (const look of waiting) look();
  });
  socket.on('error', () => {});
  await new Promise<void>((resolve, reject) => {
    socket.once('open', resolve);
    socket.once('unexpected-response', (_request, response) =>
      reject(
        Object.assign(new Error(`the upgrade was answered ${response.statusCode}`), { status: response.statusCode }),
      ),
    );
    socket.once('error', reject);
  });

  function until(fits: (frame: Frame) => boolean, timeoutMs = 60_000): Promise<Frame> {
    return new Promise((resolve, reject) => {
      let looked = 0;
      const look = () => {
        for (; looked < frames.length; looked++) {
          if (!fits(frames[looked]!)) continue;
          done();
          resolve(frames[looked]!);
          return;
        }
        if (socket.readyState === WebSocket.CLOSED) {
          done();
          reject(new Error('the socket was closed'));
        }
      };
      const timer = setTimeout(() => {
        done();
        reject(new Error(`no such frame in ${timeoutMs} ms; the last ones: ${JSON.stringify(frames.slice(-5))}`));
      }, timeoutMs);
      const done = () => {
        clearTimeout(timer);
        waiting.delete(look);
      };
      waiting.add(look);
      look();
    });
  }

  const ask = (frame: Record<string, unknown>): Promise<Frame> => {
    const id = frame.id ?? `t${nextId++}`;
    socket.send(JSON.stringify({ ...frame, id }));
    return until((each) => each.id === id && ['ack', 'welcome', 'error'].includes(each.type));
  };

  return {
    frames,
    events: (roomId) =>
      frames.filter((frame) => frame.roomId === roomId && frame.seq !== undefined && frame.type !== 'room.reset'),
    texts: (roomId) =>
      frames
        .filter((frame) => frame.roomId === roomId && frame.type === 'message.created')
        .map((frame) => (frame.data as { message: { text: string } }).message.text),
    ask,
    sendRaw: (data) => socket.send(data),
    say: (roomId, text, clientId = `c${nextId++}-${randomBytes(4).toString('hex')}`) =>
      ask({ type: 'message.send', roomId, clientId, text }),
    until,
    closed,
    socket,
    close: async () => {
      socket.close();
      await closed;
    },
  };
}

/** Opens a socket and says hello. */
export async function connect(
  url: string,
  user: TestUser,
  resume?: { logId: string; rooms: Record<string, number> },
): Promise<TestSocket & { welcome: Frame }> {
  const socket = await openSocket(url);
  const welcome = await socket.ask({ type: 'hello', token: user.accessToken, ...(resume ? { resume } : {}) });
  if (welcome.type !== 'welcome') throw new Error(`hello was answered ${JSON.stringify(welcome)}`);
  return { ...socket, welcome };
}

/** A room of these people; the first one owns it. */
export async function createRoom(
  [owner, ...others]: readonly TestUser[],
  room: Record<string, unknown> = {},
): Promise<string> {
  const { id } = await mustCall(owner!, 'POST', '/v1/rooms', {
    name: 'Test room',
    visibility: 'private',
    memberIds: others.map((each) => each.id),
    ...room,
  });
  return id as string;
}
