/** Imports are resolved to the same files and formats as by Node alone. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { nodeEnvironment } from '../harness/node-environment.ts';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../..', import.meta.url));
/** Writes the format and the address of every ES module that is loaded: CommonJS keeps Node's resolver. */
const recorder = `data:text/javascript,${encodeURIComponent(`
  import { registerHooks } from 'node:module';
  const loaded = [];
  registerHooks({ load: (url, context, nextLoad) => {
    const module = nextLoad(url, context);
    if (module.format?.startsWith('module')) loaded.push(module.format + ' ' + url);
    return module;
  } });
  process.on('exit', () => process.stdout.write(loaded.join('\\n')));
`)}`;

async function modulesLoaded(...imports: string[]): Promise<string[]> {
  const flags = [...imports, recorder].flatMap((each) => ['--import', each]);
  const { stdout } = await run(process.execPath, [...flags, 'src/roles/start-role.ts'], {
    cwd: root,
    env: nodeEnvironment,
    maxBuffer: 10_000_000,
  });
  return stdout
    .split('\n')
    .filter((line) => !line.endsWith('/test/harness/fast-imports.ts') && !line.includes(' data:'))
    .toSorted();
}

test('every ES module of a start is the file, in the format, that Node would load', async () => {
  const [fast, plain] = [await modulesLoaded('./test/harness/fast-imports.ts'), await modulesLoaded()];
  expect(plain.length).toBeGreaterThan(500);
  expect(fast).toEqual(plain);
});
