/** Shared by all benchmarks: pinned processes, their CPU time, and a table of ratios. Loopback only; everything ends by itself. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';

/** One core runs the server, another the clients. The server's core is measured. */
export const serverCore = '0';
export const clientCore = '1';
const canPin = spawnSync('taskset', ['-c', serverCore, 'true']).status === 0;

const children = new Set<ChildProcess>();
const servers = new Set<number>();
process.on('exit', killAll);

/** Ends all processes, so that none outlives a failed benchmark or shares the core with the next one. */
export function killAll(): void {
  for (const child of children) child.kill('SIGKILL');
  for (const pid of servers) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It has already ended.
    }
  }
  servers.clear();
}

/** The same for a process that was started elsewhere. @returns a function to call once it has ended */
export function trackedServer(pid: number): () => void {
  servers.add(pid);
  return () => void servers.delete(pid);
}

/** @returns a child process that ends with its benchmark at the latest */
export function tracked<Child extends ChildProcess>(child: Child): Child {
  children.add(child);
  child.once('exit', () => children.delete(child));
  return child;
}

/** Starts a Node process on one core. Its CPU profile goes to the folder that `BENCH_PROFILE` names. */
export function startPinned(
  core: string,
  script: string,
  { args = [], env = {}, ipc = false }: { args?: readonly string[]; env?: Record<string, string>; ipc?: boolean } = {},
): ChildProcess {
  const profile = process.env.BENCH_PROFILE ? ['--cpu-prof', `--cpu-prof-dir=${process.env.BENCH_PROFILE}`] : [];
  const node = [process.execPath, '--max-semi-space-size=32', ...profile, script, ...args];
  const command = canPin ? ['taskset', '-c', core, ...node] : node;
  return tracked(
    spawn(command[0]!, command.slice(1), {
      env: { PATH: process.env.PATH, ...env },
      stdio: [
        'ignore',
        process.env.BENCH_VERBOSE ? 'inherit' : 'ignore',
        'inherit',
        ...(ipc ? (['ipc'] as const) : []),
      ],
    }),
  );
}

/** Rejects when the process ends. Race it with the process's answers. */
export function whenGone(child: ChildProcess, what: string): Promise<never> {
  const gone = new Promise<never>((_, reject) => {
    child.once('exit', () => reject(new Error(`${what} has gone`)));
  });
  // A stop is expected.
  gone.catch(() => {});
  return gone;
}

export async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), 8000);
  await gone;
  clearTimeout(timer);
}

/** Pins a running process, and its future children, to one core. */
export function pin(pid: number, core: string): void {
  if (canPin) spawnSync('taskset', ['-a', '-c', '-p', core, String(pid)], { stdio: 'ignore' });
}

/** Makes this process the system under test: pinned to the server's core during the work, unpinned afterwards. */
export async function onServerCore<T>(work: () => Promise<T>): Promise<T> {
  pin(process.pid, serverCore);
  try {
    return await work();
  } finally {
    pin(process.pid, `${serverCore},${clientCore}`);
  }
}

function statOf(pid: number): string[] {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}

/** CPU seconds of a process, all threads together. Linux counts in hundredths. */
export function cpuSeconds(pid: number): number {
  const fields = statOf(pid);
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/** The same for processes and all their children, ended ones included: a complete system under test. */
export function systemCpuSeconds(pids: readonly number[]): number {
  // All are read once: the time of a child that ends in between is part of its parent's.
  const stats = new Map<number, string[]>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      stats.set(Number(name), statOf(Number(name)));
    } catch {
      // It ended after it was listed.
    }
  }
  const children = Map.groupBy(stats.keys(), (pid) => Number(stats.get(pid)![1]));
  const seconds = (pid: number): number => {
    const fields = stats.get(pid)!;
    const own = [11, 12, 13, 14].reduce((sum, field) => sum + Number(fields[field]), 0) / 100;
    return own + (children.get(pid) ?? []).reduce((sum, child) => sum + seconds(child), 0);
  };
  return pids.reduce((sum, pid) => sum + seconds(pid), 0);
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
  /** In the unit of the group. */
  readonly rate: number;
  /** CPU of the system under test per operation, in microseconds. */
  readonly cpuMicros?: number;
  /** Ratio to the first row of its group, unless set. */
  readonly ratio?: number;
  /** The goal for the ratio: `least` or `most`. */
  readonly goal?: { readonly least: number } | { readonly most: number };
  /** Further figures. */
  readonly note?: string;
}

/** @param unit of the rates; operations per second if absent */
export function printRows(title: string, rows: readonly Row[], unit = '/s'): void {
  process.stdout.write(`\n${title}\n`);
  for (const { what, rate, cpuMicros, ratio, goal, note = '' } of withRatios(rows)) {
    const cpu = cpuMicros === undefined ? '' : `${cpuMicros.toFixed(2)} µs CPU`;
    const wanted = goal === undefined ? '' : `goal ${'least' in goal ? `≥ ${goal.least}` : `≤ ${goal.most}`}`;
    process.stdout.write(
      `  ${what.padEnd(58)} ${formatted(rate).padStart(12)}${unit} ${cpu.padStart(16)} ${ratio.toFixed(2).padStart(8)} ×  ${wanted.padEnd(12)} ${note}\n`,
    );
  }
}

export function withRatios(rows: readonly Row[]): (Row & { readonly ratio: number })[] {
  return rows.map((row) => ({ ...row, ratio: row.ratio ?? row.rate / rows[0]!.rate }));
}

function formatted(rate: number): string {
  return rate < 100 ? rate.toFixed(2) : Math.round(rate).toLocaleString('en');
}

/** The quantile: the value below which this share of the values lies. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((left, right) => left - right);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!;
}
