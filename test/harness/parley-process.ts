/** A Parley of its own process, as an operator runs it: started, waited for, killed, frozen and started again. */
import { type ChildProcess, spawn } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { endWithUs } from './ends-with-us.ts';
import { nodeEnvironment } from './node-environment.ts';
import { freePort } from './ports.ts';

const entry = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
const fastImports = new URL('./fast-imports.ts', import.meta.url).href;
const startTimeoutMs = 180_000;
const askAgainMs = 250;

/** Limits that no test reaches unless it is about them, and no spare thread: it costs half a CPU-second per start. */
export const wideLimits = {
  PARLEY_PROCESSING_SPARE_THREADS: '0',
  PARLEY_REALTIME_SOCKETS_PER_USER: '500',
  PARLEY_LIMITS_MESSAGES_PER_SECOND: '1000',
  PARLEY_LIMITS_MESSAGES_BURST: '1000',
  PARLEY_LIMITS_FRAMES_PER_SECOND: '1000',
  PARLEY_LIMITS_FRAMES_BURST: '1000',
  PARLEY_LIMITS_REACTIONS_PER_MINUTE: '1000000',
  PARLEY_LIMITS_LOGINS_PER_MINUTE: '100000',
};

/** For an engine in the same process: on a busy machine a verdict may take longer than the 500 ms that people wait. */
export const patientModeration = { PARLEY_MODERATION_TIMEOUT: '8s' };

export interface ProcessOptions {
  readonly role: 'chat' | 'processing' | 'all';
  /** Settings by their environment name, e.g. `DATABASE_URL`. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Ports to use again after a restart. */
  readonly httpPort?: number;
  readonly processingPort?: number;
}

export interface ParleyProcess {
  /** Of REST and the page. */
  readonly url: string;
  readonly processingUrl: string;
  readonly pid: number;
  /** What it wrote, for a failing test. */
  readonly output: () => string;
  readonly signal: (signal: NodeJS.Signals) => void;
  /** `kill -9`, and the end of it. */
  readonly kill: () => Promise<void>;
  /** SIGTERM. @returns the exit code */
  readonly stop: () => Promise<number | null>;
  readonly exited: () => boolean;
}

/** Resolves when `/health/ready` says so. @throws Error with what the process wrote when it ended instead */
export async function startParley({
  role,
  settings = {},
  httpPort,
  processingPort,
}: ProcessOptions): Promise<ParleyProcess> {
  const [http, processing] = await Promise.all([httpPort ?? freePort(), processingPort ?? freePort()]);
  const url = `http://127.0.0.1:${http}`;
  const processingUrl = `http://127.0.0.1:${processing}`;
  const child = spawn(process.execPath, ['--import', fastImports, entry, '--role', role], {
    env: {
      ...nodeEnvironment,
      HOST: '127.0.0.1',
      PORT: String(http),
      PARLEY_PROCESSING_PORT: String(processing),
      LOG_LEVEL: 'info',
      PARLEY_UPLOADS_DIR: join(tmpdir(), 'parley-test-uploads'),
      ...settings,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  endWithUs(child);
  let written = '';
  let wrote = () => {};
  const note = (chunk: Buffer) => {
    written = (written + chunk.toString('utf8')).slice(-200_000);
    wrote();
  };
  child.stdout.on('data', note);
  child.stderr.on('data', note);
  await waitUntilReady(`${role === 'processing' ? processingUrl : url}/health/ready`, child, {
    output: () => written,
    nextOutput: () =>
      new Promise((resolve) => {
        wrote = resolve;
      }),
  });
  return {
    url,
    processingUrl,
    pid: child.pid!,
    output: () => written,
    signal: (signal) => void child.kill(signal),
    kill: async () => {
      child.kill('SIGKILL');
      await ended(child);
    },
    stop: async () => {
      child.kill('SIGTERM');
      return ended(child);
    },
    exited: () => child.exitCode !== null || child.signalCode !== null,
  };
}

interface Output {
  readonly output: () => string;
  /** Resolves with the next thing that is written. */
  readonly nextOutput: () => Promise<void>;
}

/** Asks after each line that the process writes, the last of which says that it is ready, and now and then between them. */
async function waitUntilReady(readyUrl: string, child: ChildProcess, { output, nextOutput }: Output): Promise<void> {
  const deadline = performance.now() + startTimeoutMs;
  const end = ended(child);
  for (;;) {
    if (child.exitCode !== null || child.signalCode !== null)
      throw new Error(`Parley ended with ${child.exitCode ?? child.signalCode}:\n${output()}`);
    const wroteMore = nextOutput();
    const ready = await fetch(readyUrl).then(
      (answer) => answer.ok,
      () => false,
    );
    if (ready) return;
    if (performance.now() > deadline) throw new Error(`Parley is not ready:\n${output()}`);
    await Promise.race([wroteMore, end, pause(askAgainMs)]);
  }
}

function ended(child: ChildProcess): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve(child.exitCode);
  return new Promise((resolve) => child.once('exit', (code) => resolve(code)));
}
