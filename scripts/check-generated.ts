/** What is generated must fit its sources: the code of `proto/`, the migrations of the tables, the lists of the engine. */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const temporary = mkdtempSync(join(tmpdir(), 'parley-generated-'));
const complaints: string[] = [];

function run(program: string, args: readonly string[]): void {
  const { status, stderr, stdout } = spawnSync(program, args, { encoding: 'utf8' });
  if (status !== 0) complaints.push(`${program} ${args.join(' ')}: ${stderr || stdout}`);
}

function files(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort();
}

function compare(what: string, generated: string, kept: string): void {
  const [left, right] = [files(generated), files(kept)];
  const same =
    left.length === right.length &&
    left.every(
      (name, at) => name === right[at] && readFileSync(join(generated, name)).equals(readFileSync(join(kept, name))),
    );
  if (!same) complaints.push(`${what} does not fit its source: generate it again and commit it`);
}

run('buf', ['generate', '--output', temporary]);
compare('src/gen', join(temporary, 'src', 'gen'), 'src/gen');

const migrations = join(temporary, 'migrations');
cpSync('migrations', migrations, { recursive: true });
run('drizzle-kit', [
  'generate',
  '--dialect=postgresql',
  '--schema=src/database/tables/*.ts',
  `--out=${migrations}`,
  '--name=check',
]);
compare('migrations/', migrations, 'migrations');

for (const complaint of complaints) process.stderr.write(`${complaint}\n`);
rmSync(temporary, { recursive: true, force: true });
process.exitCode = complaints.length === 0 ? 0 : 1;
