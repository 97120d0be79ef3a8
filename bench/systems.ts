/** The systems under test, each on the server's core with its Redis and Postgres. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { freePort, pin, serverCore, startPinned, stop, tracked, waitFor } from './measure.ts';
import { jwtSecret, type Town } from './town.ts';

/** Limits raised so that no benchmark reaches them. */
const wide = {
  PARLEY_LIMITS_MESSAGES_PER_SECOND: '1000000',
  PARLEY_LIMITS_MESSAGES_BURST: '1000000',
  PARLEY_LIMITS_FRAMES_PER_SECOND: '1000000',
  PARLEY_LIMITS_FRAMES_BURST: '1000000',
  PARLEY_LIMITS_REACTIONS_PER_MINUTE: '1000000000',
  PARLEY_LIMITS_REQUESTS_PER_MINUTE: '1000000000',
  PARLEY_LIMITS_REQUESTS_PER_DEVICE: '1000000000',
  PARLEY_LIMITS_REQUESTS_PER_ACCOUNT: '1000000000',
  PARLEY_LIMITS_REQUESTS_PER_ADDRESS: '1000000000',
  PARLEY_REALTIME_SOCKETS_PER_USER: '100000',
  // No system sends pings: the work for messages is measured.
  PARLEY_REALTIME_HEARTBEAT: '1h',
  PARLEY_REALTIME_QUEUE_BYTES: '64MB',
  PARLEY_REALTIME_QUEUE_EVENTS: '1000000',
  PARLEY_REALTIME_IN_FLIGHT_PER_SOCKET: '4096',
  // Repeated texts are a flood, and would open an entry in the moderation queue for each sender.
  PARLEY_MODERATION_FLOOD_ACTION: 'off',
};

export interface ServerUnderTest {
  readonly port: number;
  readonly child: ChildProcess;
  readonly stop: () => Promise<void>;
}

export async function startParleyServer(
  town: Town,
  { role = 'all', settings = {} }: { role?: 'all' | 'chat'; settings?: Readonly<Record<string, string>> } = {},
): Promise<ServerUnderTest> {
  const port = await freePort();
  const child = startPinned(serverCore, fileURLToPath(new URL('../src/main.ts', import.meta.url)), {
    args: ['--role', role],
    env: {
      DATABASE_URL: town.url,
      JWT_SECRET: jwtSecret,
      PORT: String(port),
      HOST: '127.0.0.1',
      PARLEY_PROCESSING_PORT: String(await freePort()),
      LOG_LEVEL: 'warn',
      ...wide,
      ...settings,
    },
  });
  await waitFor(`http://127.0.0.1:${port}/health/ready`);
  return { port, child, stop: () => stop(child) };
}

/** A Node program of this folder that reports over IPC when it listens. */
export async function startScript(name: string, args: readonly string[]): Promise<ServerUnderTest> {
  const port = await freePort();
  const script = fileURLToPath(new URL(name, import.meta.url));
  const child = startPinned(serverCore, script, { args: [String(port), ...args], ipc: true });
  await new Promise((resolve, reject) => {
    child.once('message', resolve);
    child.once('exit', () => reject(new Error(`${name} ended`)));
  });
  return { port, child, stop: () => stop(child) };
}

/** The handshake of a socket.io client. */
export const socketIoOpening = {
  path: '/socket.io/?EIO=4&transport=websocket',
  hello: '40',
  welcomeFrames: 2,
} as const;

/** socket.io with its own Redis; undefined if its packages are not installed in bench/node_modules. */
export async function startSocketIo(): Promise<ServerUnderTest | undefined> {
  if (!existsSync(fileURLToPath(new URL('./node_modules/socket.io', import.meta.url)))) return undefined;
  const redis = await startRedis();
  const server = await startScript('./socket-io-server.ts', [redis.url]);
  return {
    ...server,
    stop: async () => {
      await server.stop();
      await redis.stop();
    },
  };
}

export interface RedisUnderTest {
  readonly url: string;
  readonly pid: number;
  readonly stop: () => Promise<void>;
}

export async function startRedis(): Promise<RedisUnderTest> {
  const port = await freePort();
  const child = tracked(
    spawn('redis-server', ['--port', String(port), '--save', '', '--bind', '127.0.0.1'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    }),
  );
  pin(child.pid!, serverCore);
  await new Promise<void>((resolve, reject) => {
    child.once('exit', () => reject(new Error('redis-server ended')));
    child.stdout.on('data', (chunk: Buffer) => {
      if (chunk.includes('Ready to accept connections')) resolve();
    });
  });
  return { url: `redis://127.0.0.1:${port}`, pid: child.pid!, stop: () => stop(child) };
}
