/** Locks a data folder for one Parley, with a file that names its process. The lock holds only while that very process is alive. */
import { execFile } from 'node:child_process';
import { link, open, readFile, rename, rm } from 'node:fs/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** The start time of a process, which tells it from a later process with the same pid. */
async function startTime(pid: number): Promise<string | undefined> {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return undefined;
  }
  try {
    if (process.platform === 'linux') {
      // Field 22 of /proc/<pid>/stat; the name in parentheses may hold spaces.
      const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
      return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
    }
    // Windows has no such command. There a later process with the same pid keeps the folder locked until the lock file is deleted.
    if (process.platform === 'win32') return 'alive';
    return (await run('ps', ['-p', String(pid), '-o', 'lstart='])).stdout.trim() || undefined;
  } catch {
    return undefined;
  }
}

/**
 * @returns a function that frees the folder
 * @throws Error if another live process holds it
 */
export async function lockFolder(path: string): Promise<() => Promise<void>> {
  for (let attempt = 0; attempt < 5; attempt++) {
    try {
      const file = await open(path, 'wx', 0o600);
      await file.writeFile(`${process.pid}\n${await startTime(process.pid)}\n`);
      await file.close();
      return () => rm(path, { force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const content = await readFile(path, 'utf8').catch(() => '');
    const [pid = '', started = ''] = content.split('\n');
    if (pid && (await startTime(Number(pid))) === started) {
      throw new Error(
        `another Parley (process ${pid}) already runs on the folder of ${path}; stop it, or choose another "database.embedded.dir"`,
      );
    }
    if (pid) await takeAway(path, content);
    else await new Promise((wake) => setTimeout(wake, 50));
  }
  throw new Error(`the lock ${path} cannot be taken`);
}

/** Removes the lock of a dead process. If another process has locked the folder since it was read, its lock is put back. */
async function takeAway(path: string, dead: string): Promise<void> {
  const aside = `${path}.${process.pid}`;
  try {
    await rename(path, aside);
    if ((await readFile(aside, 'utf8')) !== dead) await link(aside, path);
  } catch (error) {
    // The lock is gone, or there again: the next attempt finds out.
    if (!['ENOENT', 'EEXIST'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
  } finally {
    await rm(aside, { force: true });
  }
}
