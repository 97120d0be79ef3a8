/**
 * Builds the packages that apps install: `npm run build:packages`, into dist/packages/. With `--check` it also checks what is built as npm
 * users get it: the manifest (publint), the types under each way of resolving modules (attw) and the size (size-limit).
 */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { build } from 'vite';

const root = fileURLToPath(new URL('..', import.meta.url));
const { values } = parseArgs({
  options: {
    out: { type: 'string', default: join(root, 'dist/packages') },
    check: { type: 'boolean', default: false },
  },
});

interface Package {
  /** Its folder in packages/, and in the output. */
  readonly name: string;
  readonly entry: string;
  readonly tsconfig: string;
}

const packages: readonly Package[] = [
  { name: 'client', entry: 'src/client/index.ts', tsconfig: 'tsconfig.client.json' },
];

function run(program: string, args: readonly string[], cwd = root): void {
  const { status } = spawnSync(join(root, 'node_modules/.bin', program), args, { cwd, stdio: 'inherit' });
  if (status !== 0) throw new Error(`${program} failed`);
}

async function buildPackage({ name, entry, tsconfig }: Package): Promise<void> {
  const out = join(values.out, name);
  rmSync(out, { recursive: true, force: true });
  mkdirSync(out, { recursive: true });
  await build({
    configFile: false,
    root,
    logLevel: 'warn',
    publicDir: false,
    build: {
      lib: { entry: join(root, entry), formats: ['es'], fileName: () => 'index.js' },
      outDir: out,
      emptyOutDir: false,
      sourcemap: true,
      minify: true,
      // Vite leaves libraries their white space, which half of all apps would send along.
      rolldownOptions: {
        // What is loaded later takes what it shares from the entry, instead of from ever more files.
        preserveEntrySignatures: 'allow-extension',
        output: { minify: true, chunkFileNames: '[name].js' },
      },
      target: 'es2022',
    },
  });
  run('tsc', ['-p', tsconfig, '--emitDeclarationOnly', '--outDir', join(out, 'types')]);
  nameBuiltModules(join(out, 'types'));
  cpSync(join(root, 'packages', name), out, { recursive: true });
  cpSync(join(root, 'LICENSE'), join(out, 'LICENSE'));
}

/** Declarations import the modules as they are named once built. */
function nameBuiltModules(folder: string): void {
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.name.endsWith('.d.ts')) continue;
    const path = join(entry.parentPath, entry.name);
    const text = readFileSync(path, 'utf8');
    writeFileSync(path, text.replaceAll(/(from |import\()(['"])(\.{1,2}\/[^'"]+)\.ts\2/g, '$1$2$3.js$2'));
  }
}

function checkPackage({ name }: Package): void {
  const out = join(values.out, name);
  run('publint', ['--strict', out]);
  run('attw', ['--pack', out, '--profile', 'esm-only', '--format', 'ascii', '--no-emoji']);
}

for (const each of packages) await buildPackage(each);
if (values.check) {
  for (const each of packages) checkPackage(each);
  run('size-limit', []);
}
