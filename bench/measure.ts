/** What every benchmark shares: pinned processes, their CPU time, and a table of ratios. Loopback only; everything ends by itself. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';

/** One core serves, another one asks: what is measured is the server's core. */
export const serverCore = '0';
export const clientCore = '1';
const canPin = spawnSync('taskset', ['-c', serverCore, 'true']).status === 0;

const children = new Set<ChildProcess>();
// Nothing outlives a benchmark that fails.
process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL');
});

/** Starts a Node process on one core. */
export function startPinned(
  core: string,
  script: string,
  { args = [], env = {}, ipc = false }: { args?: readonly string[]; env?: Record<string, string>; ipc?: boolean } = {},
): ChildProcess {
  const node = [process.execPath, '--max-semi-space-size=32', script, ...args];
  const command = canPin ? ['taskset', '-c', core, ...node] : node;
  const child = spawn(command[0]!, command.slice(1), {
    env: { PATH: process.env.PATH, ...env },
    stdio: ['ignore', process.env.BENCH_VERBOSE ? 'inherit' : 'ignore', 'inherit', ...(ipc ? (['ipc'] as const) : [])],
  });
  children.add(child);
  child.once('exit', () => children.delete(child));
  return child;
}

export async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), 8000);
  await gone;
  clearTimeout(timer);
}

/** Seconds of CPU that a process has used, all its threads together; Linux counts in hundredths. */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/** Resident bytes of a process. */
export function residentBytes(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]) * 4096;
}

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() =>
        address && typeof address === 'object' ? resolve(address.port) : reject(new Error('no port')),
      );
    });
  });
}

export async function waitFor(url: string): Promise<void> {
  for (let attempt = 0; attempt < 1200; attempt++) {
    const ready = await fetch(url).then(
      ({ ok }) => ok,
      () => false,
    );
    if (ready) return;
    await new Promise((wake) => setTimeout(wake, 50));
  }
  throw new Error(`${url} does not answer`);
}

export interface Row {
  readonly what: string;
  /** In the unit that `what` names. */
  readonly rate: number;
  /** Microseconds of the server's CPU for one operation. */
  readonly cpuMicros?: number;
  /** Beside the first row of its group. */
  readonly ratio?: number;
  readonly goal?: string;
}

/** @param unit of the rates; operations in a second when absent */
export function printRows(title: string, rows: readonly Row[], unit = '/s'): void {
  process.stdout.write(`\n${title}\n`);
  const [first] = rows;
  for (const { what, rate, cpuMicros, ratio = rate / first!.rate, goal = '' } of rows) {
    const cpu = cpuMicros === undefined ? '' : `${cpuMicros.toFixed(2)} µs CPU`;
    process.stdout.write(
      `  ${what.padEnd(64)} ${Math.round(rate).toLocaleString('en').padStart(12)}${unit} ${cpu.padStart(16)} ${ratio.toFixed(2).padStart(8)} ×  ${goal}\n`,
    );
  }
}
