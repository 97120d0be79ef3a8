/**
 * NATS over WebSocket from Debian's package (`nats-server`): members subscribe to one subject, one client publishes to it. NATS stores
 * nothing here and authenticates nobody.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, pin, serverCore, stop, tracked } from './measure.ts';

const subject = 'room';
const introduction = 'CONNECT {"verbose":false,"pedantic":false,"lang":"bench","version":"1","protocol":1}\r\n';
/** What a member sends; the server answers with INFO and PONG. */
export const natsHello = `${introduction}SUB ${subject} 1\r\nPING\r\n`;
export const natsWelcomeFrames = 2;

export interface NatsUnderTest {
  /** Port of the WebSocket. */
  readonly port: number;
  readonly child: ChildProcess;
  /** Bytes of one message as a member receives it. */
  readonly bytesOf: (text: string) => number;
  readonly publish: (text: string, count: number) => void;
  readonly stop: () => Promise<void>;
}

/** @returns undefined if `nats-server` is not installed */
export async function startNats(): Promise<NatsUnderTest | undefined> {
  if (spawnSync('nats-server', ['--version']).status !== 0) return undefined;
  const [tcpPort, port] = [await freePort(), await freePort()];
  const folder = mkdtempSync(join(tmpdir(), 'parley-bench-nats-'));
  const file = join(folder, 'nats.conf');
  // Slow members are waited for, not disconnected, and not pinged: every system here delivers everything.
  writeFileSync(
    file,
    `listen: "127.0.0.1:${tcpPort}"\nmax_pending: 1GB\nwrite_deadline: "60s"\nping_interval: "1h"\nwebsocket { listen: "127.0.0.1:${port}", no_tls: true }\n`,
  );
  const child = tracked(
    spawn('nats-server', ['-c', file], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { PATH: process.env.PATH, GOMAXPROCS: '1' },
    }),
  );
  pin(child.pid!, serverCore);
  await new Promise<void>((resolve, reject) => {
    child.once('exit', () => reject(new Error('nats-server ended')));
    child.stderr.on('data', (chunk: Buffer) => {
      if (chunk.includes('Server is ready')) resolve();
    });
  });
  const publisher = connect(tcpPort, '127.0.0.1');
  publisher.on('data', () => {});
  publisher.write(introduction);
  return {
    port,
    child,
    bytesOf: (text) => Buffer.byteLength(`MSG ${subject} 1 ${text.length}\r\n${text}\r\n`),
    publish: (text, count) => publisher.write(`PUB ${subject} ${text.length}\r\n${text}\r\n`.repeat(count)),
    stop: async () => {
      publisher.destroy();
      await stop(child);
      rmSync(folder, { recursive: true });
    },
  };
}
