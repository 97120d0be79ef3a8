/**
 * The commands of a fresh clone: `start`, `test` and `check`. Plain JavaScript that any Node runs: it installs what is
 * missing and then hands over to the pinned Node of node_modules, or where there is none to the one that runs this.
 */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const [command = 'start', ...rest] = process.argv.slice(2);
const bin = join(root, 'node_modules', '.bin');
const isWindows = process.platform === 'win32';
const env = {
  // What Node makes of our TypeScript is kept: a start costs a fifth less of its processor time.
  NODE_COMPILE_CACHE: join(root, 'node_modules', '.cache', 'node'),
  ...process.env,
  PATH: [bin, process.env.PATH].filter(Boolean).join(delimiter),
};
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
/** The package that brings the pinned Node of this platform, where there is one. */
const nodePackage = `node-${isWindows ? 'win' : process.platform}-${process.arch}`;

function say(text) {
  process.stderr.write(`${text}\n`);
}

function mustRun(program, args, options = {}) {
  const { status, error } = spawnSync(program, args, {
    cwd: root,
    env,
    stdio: ['ignore', 'inherit', 'inherit'],
    ...options,
  });
  if (status === 0) return;
  say(`${program} ${args.join(' ')} failed${error ? `: ${error.message}` : ''}`);
  process.exit(status || 1);
}

function modifiedAt(path) {
  return existsSync(path) ? statSync(path).mtimeMs : 0;
}

/** Ends with one line where no Node is new enough: an older one fails at the first TypeScript file. */
function requireNode(path, version) {
  const needed = manifest.engines.node.replace('>=', '');
  const [major, minor] = version.split('.').map(Number);
  const [neededMajor, neededMinor] = needed.split('.').map(Number);
  if (major > neededMajor || (major === neededMajor && minor >= neededMinor)) return;
  say(`parley: Node ${needed} or newer is needed, and ${path} is ${version}; get it from https://nodejs.org`);
  process.exit(1);
}

/** `npm install` with the lock as it is; npm ci would refuse a lock made where some platforms' packages were absent. */
function installDependencies() {
  const installed = modifiedAt(join(root, 'node_modules', '.package-lock.json'));
  if (installed > 0 && installed >= modifiedAt(join(root, 'package-lock.json'))) return;
  say('Installing dependencies …');
  const args = ['install', '--no-save', '--no-audit', '--no-fund', '--loglevel=error'];
  // On Windows npm is a script, which only a shell starts.
  mustRun('npm', args, { env: process.env, shell: isWindows });
}

/** Whether a program is on the path, or where it is said to be. */
function isInstalled(name) {
  if (name.startsWith('/')) return existsSync(name);
  const names = isWindows ? [`${name}.exe`, `${name}.cmd`] : [name];
  const folders = (process.env.PATH || '').split(delimiter).filter(Boolean);
  return folders.some((folder) => names.some((each) => existsSync(join(folder, each))));
}

/** Redis and Chromium for the tests, from Debian's packages where we may install them. */
function installServers() {
  const wanted = [
    ['redis-server', ['redis-server']],
    ['chromium', ['chromium', 'chromium-browser', 'google-chrome']],
    ['pgbouncer', ['pgbouncer', '/usr/sbin/pgbouncer']],
    ['nginx-light', ['nginx', '/usr/sbin/nginx']],
  ];
  const missing = wanted.filter(([, names]) => !names.some(isInstalled)).map(([name]) => name);
  if (missing.length === 0) return;
  const canInstall = process.getuid?.() === 0 && isInstalled('apt-get');
  if (!canInstall) {
    say(`The tests need ${missing.join(' and ')}; install them first (as root on Debian this happens by itself).`);
    process.exit(1);
  }
  say(`Installing ${missing.join(' and ')} …`);
  // RUNLEVEL: the packages must not start services.
  const quiet = {
    env: { ...process.env, RUNLEVEL: '1', DEBIAN_FRONTEND: 'noninteractive' },
    stdio: ['ignore', 'ignore', 'inherit'],
  };
  const install = ['install', '-y', '--no-install-recommends', ...missing];
  if (spawnSync('apt-get', install, { cwd: root, ...quiet }).status === 0) return;
  mustRun('apt-get', ['update'], quiet);
  mustRun('apt-get', install, quiet);
}

/** By hand: old versions of Node do not know `recursive`. */
function newestIn(folder) {
  return readdirSync(folder, { withFileTypes: true }).reduce((newest, entry) => {
    const path = join(folder, entry.name);
    return Math.max(newest, entry.isDirectory() ? newestIn(path) : modifiedAt(path));
  }, 0);
}

/** The page, when its sources are newer than what was built of them. */
function buildPage() {
  const built = modifiedAt(join(root, 'dist', 'web', 'index.html'));
  const sources = Math.max(
    newestIn(join(root, 'src', 'web')),
    newestIn(join(root, 'src', 'client')),
    modifiedAt(join(root, 'vite.config.ts')),
  );
  if (built >= sources) return;
  say('Building the page …');
  mustRun(node(), [join(root, 'node_modules', 'vite', 'bin', 'vite.js'), 'build', '--logLevel', 'warn']);
}

/** The pinned Node where its package is there, otherwise the one that runs this. */
function node() {
  const pinned = join(root, 'node_modules', nodePackage, 'bin', isWindows ? 'node.exe' : 'node');
  return existsSync(pinned) ? pinned : process.execPath;
}

/** Runs in our place: signals go through, and its exit code is ours. */
function handOver(args) {
  const child = spawn(node(), args, { cwd: root, env, stdio: 'inherit' });
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) {
    process.on(signal, () => {
      // Ctrl-C reaches everything on the terminal: handed on, it would count as a second signal, which hurries the end.
      // On Windows handing it on would end the child at once.
      if (signal === 'SIGINT' && (isWindows || process.stdin.isTTY)) return;
      child.kill(signal);
    });
  }
  child.on('exit', (code, signal) => process.exit(code ?? (signal ? 1 : 0)));
}

// Before an installation that would be in vain.
if (!manifest.optionalDependencies[nodePackage]) requireNode(process.execPath, process.versions.node);
installDependencies();
if (node() === process.execPath) requireNode(process.execPath, process.versions.node);
if (command === 'start') {
  buildPage();
  handOver([join(root, 'src', 'main.ts'), ...rest]);
} else if (command === 'test') {
  installServers();
  buildPage();
  handOver([join(root, 'node_modules', 'vitest', 'vitest.mjs'), 'run', ...rest]);
} else if (command === 'check') {
  installServers();
  buildPage();
  handOver([join(root, 'scripts', 'check.ts'), ...rest]);
} else {
  say(`"${command}" is none of start, test and check`);
  process.exit(1);
}
