/** What every benchmark shares: pinned processes, their CPU time, and a table of ratios. Loopback only; everything ends by itself. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';

/** One core serves, another one asks: what is measured is the server's core. */
export const serverCore = '0';
export const clientCore = '1';
const canPin = spawnSync('taskset', ['-c', serverCore, 'true']).status === 0;

const children = new Set<ChildProcess>();
const servers = new Set<number>();
process.on('exit', killAll);

/** Nothing outlives a benchmark that fails, nor shares the core with the next one. */
export function killAll(): void {
  for (const child of children) child.kill('SIGKILL');
  for (const pid of servers) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It had ended by itself.
    }
  }
  servers.clear();
}

/** The same for a process that somebody else started. @returns to be called once it has ended */
export function trackedServer(pid: number): () => void {
  servers.add(pid);
  return () => void servers.delete(pid);
}

/** @returns a child that ends with its benchmark at the latest */
export function tracked<Child extends ChildProcess>(child: Child): Child {
  children.add(child);
  child.once('exit', () => children.delete(child));
  return child;
}

/** Starts a Node process on one core; its CPU profile goes to the folder `BENCH_PROFILE` names. */
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

/** Rejects when the process ends: to be raced with its answers. */
export function whenGone(child: ChildProcess, what: string): Promise<never> {
  const gone = new Promise<never>((_, reject) => {
    child.once('exit', () => reject(new Error(`${what} has gone`)));
  });
  // Nobody minds when it is stopped.
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

/** Keeps a running process, and what it starts from now on, on one core. */
export function pin(pid: number, core: string): void {
  if (canPin) spawnSync('taskset', ['-a', '-c', '-p', core, String(pid)], { stdio: 'ignore' });
}

/** Has this process itself be the system under test: on the server's core while it works, and where it was afterwards. */
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

/** Seconds of CPU that a process has used, all its threads together; Linux counts in hundredths. */
export function cpuSeconds(pid: number): number {
  const fields = statOf(pid);
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/** The same of processes and all they have started, the ended ones included: a whole system under test. */
export function systemCpuSeconds(pids: readonly number[]): number {
  // All are read once: who ends meanwhile is in its parent's time.
  const stats = new Map<number, string[]>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      stats.set(Number(name), statOf(Number(name)));
    } catch {
      // Ended since it was listed.
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
  /** In the unit that the group names. */
  readonly rate: number;
  /** Microseconds of CPU of the system under test for one operation. */
  readonly cpuMicros?: number;
  /** Beside the first row of its group, unless set. */
  readonly ratio?: number;
  /** What is to be reached, of the ratio: `least` or `most`. */
  readonly goal?: { readonly least: number } | { readonly most: number };
  /** Further figures. */
  readonly note?: string;
}

/** @param unit of the rates; operations in a second when absent */
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

/** The value below which this share of the values lies. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((left, right) => left - right);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!;
}
