/** A Node that is too old ends every command with one line that names the version needed. */
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
let dir: string;

/** A clone whose dependencies are installed, without the Node that they would bring. */
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'parley-old-node-'));
  for (const folder of ['scripts', 'node_modules', 'src/web', 'src/client', 'dist/web'])
    mkdirSync(join(dir, folder), { recursive: true });
  for (const file of ['package.json', 'package-lock.json', 'scripts/run.mjs', 'vite.config.ts', 'src/main.ts'])
    cpSync(join(root, file), join(dir, file));
  writeFileSync(join(dir, 'dist/web/index.html'), '');
  writeFileSync(join(dir, 'node_modules/.package-lock.json'), '{}');
});
afterAll(() => rmSync(dir, { recursive: true }));

const needed = (
  JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { engines: { node: string } }
).engines.node.replace('>=', '');

/** Nodes on the path that are older than what is needed. */
const oldNodes = (process.env.PATH ?? '')
  .split(delimiter)
  .map((folder) => join(folder, 'node'))
  .filter((path) => existsSync(path))
  .filter((path) => Number(spawnSync(path, ['--version'], { encoding: 'utf8' }).stdout.slice(1).split('.')[0]) < 22);

test.each(['start', 'test', 'check'])('npm run %s says so where the newest Node would be too old', (command) => {
  const manifest = readFileSync(join(dir, 'package.json'), 'utf8');
  writeFileSync(join(dir, 'package.json'), manifest.replace(`">=${needed}"`, '">=99.3"'));
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(dir, 'scripts/run.mjs'), command], {
    encoding: 'utf8',
  });
  writeFileSync(join(dir, 'package.json'), manifest);
  expect([status, stdout]).toEqual([1, '']);
  expect(stderr).toMatch(/^parley: Node 99\.3 or newer is needed, and [^\n]* is \d+\.\d+\.\d+; [^\n]*\n$/);
});

test.runIf(oldNodes.length > 0).each(['start', 'test', 'check'])('npm run %s says so to an old Node', (command) => {
  for (const node of oldNodes) {
    const { status, stderr } = spawnSync(node, [join(dir, 'scripts/run.mjs'), command], { encoding: 'utf8' });
    expect([node, status]).toEqual([node, 1]);
    expect(stderr).toMatch(new RegExp(`^parley: Node ${needed} or newer is needed, [^\\n]*\\n$`));
  }
});

test.each(['v22.18.0', 'v23.11.1', 'v24.6.99'])('src/main.ts says so to Node %s, which can read it', (version) => {
  const pretend = `data:text/javascript,Object.defineProperty(process,'version',{value:'${version}'})`;
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ['--import', pretend, join(root, 'src/main.ts'), '--role', 'all'],
    { encoding: 'utf8', env: { PATH: process.env.PATH } },
  );
  expect([status, stdout]).toEqual([1, '']);
  expect(stderr).toBe(
    `parley: Node ${needed} or newer is needed, and this is ${version}; get it from https://nodejs.org\n`,
  );
});
