/** A Redis of a test's own, to be killed, frozen and started again on the same port. */
import { type ChildProcess, spawn } from 'node:child_process';
import { endWithUs } from './ends-with-us.ts';
import { freePort } from './ports.ts';

export interface RedisProcess {
  readonly url: string;
  readonly port: number;
  readonly kill: () => Promise<void>;
  readonly start: () => Promise<void>;
  readonly signal: (signal: NodeJS.Signals) => void;
}

/** @param flags beside those that keep it in memory and on loopback */
export async function startRedisProcess(...flags: string[]): Promise<RedisProcess> {
  const port = await freePort();
  let child: ChildProcess;

  async function start(): Promise<void> {
    child = spawn(
      'redis-server',
      ['--port', String(port), '--save', '', '--appendonly', 'no', '--bind', '127.0.0.1', ...flags],
      { stdio: ['ignore', 'pipe', 'ignore'] },
    );
    endWithUs(child);
    await new Promise<void>((resolve, reject) => {
      child.once('exit', (code) => reject(new Error(`redis-server ended with ${code}`)));
      child.stdout!.on('data', (chunk: Buffer) => {
        if (chunk.includes('Ready to accept connections')) resolve();
      });
    });
  }

  async function kill(): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    child.kill('SIGKILL');
    await gone;
  }

  await start();
  return { url: `redis://127.0.0.1:${port}`, port, kill, start, signal: (signal) => void child.kill(signal) };
}
