/** The arguments: settings as flags, the words of a command, and the few flags that are not settings. */
import { parseArgs } from 'node:util';
import { entries, nearest } from './entries.ts';
import { ConfigError, type Given } from './given.ts';

export interface CommandLine {
  readonly settings: ReadonlyMap<string, Given>;
  /** The words of a command and its own flags, in order: `admin create --username ana`. */
  readonly words: readonly string[];
  readonly file: string | undefined;
  readonly help: boolean;
  readonly version: boolean;
  readonly printConfig: boolean;
}

const switches = ['help', 'version', 'print-config'] as const;

/** `http.allowedOrigins` → `http-allowed-origins`. */
function kebab(path: string): string {
  return path
    .replace(/([a-z0-9])([A-Z])/g, '$1-$2')
    .replaceAll('.', '-')
    .toLowerCase();
}

/** Settings by the names of their flags: `http.allowedOrigins` and `http-allowed-origins`. */
const paths: ReadonlyMap<string, string> = new Map(
  entries.flatMap(({ path }) => [
    [path, path],
    [kebab(path), path],
  ]),
);

const options = {
  ...Object.fromEntries([...paths.keys(), 'config'].map((name) => [name, { type: 'string' }] as const)),
  help: { type: 'boolean', short: 'h' },
  version: { type: 'boolean' },
  'print-config': { type: 'boolean' },
} as const;

/**
 * @param argv the arguments after the script's name
 * @throws ConfigError for an unknown flag or a flag without its value
 */
export function readCommandLine(argv: readonly string[]): CommandLine {
  // Not strict, because a command keeps its own flags. Unknown flags without a command are refused below.
  const { tokens } = parseArgs({ args: [...argv], options, strict: false, allowPositionals: true, tokens: true });
  const settings = new Map<string, Given>();
  const words: string[] = [];
  const on = new Set<string>();
  let file: string | undefined;
  let lastShort = -1;
  for (const token of tokens) {
    if (token.kind === 'positional') words.push(token.value);
    if (token.kind !== 'option') continue;
    const written = argv[token.index]!;
    if (!written.startsWith('--') && written !== '-h') {
      // `-text` is a word. parseArgs makes a token of each of its letters.
      if (token.index !== lastShort) words.push(written);
      lastShort = token.index;
      continue;
    }
    const { name, rawName, value } = token;
    const path = paths.get(name);
    if (switches.some((each) => each === name)) on.add(name);
    else if (path === undefined && name !== 'config') {
      if (words.length === 0 && rawName.startsWith('--')) throw unknownFlag(name);
      words.push(value === undefined ? rawName : `${rawName}=${value}`);
    } else if (value === undefined) throw new ConfigError(`the flag --${name} needs a value`);
    else if (path === undefined) file = value;
    else settings.set(path, { raw: value, origin: `the flag --${name}` });
  }
  const [help, version, printConfig] = switches.map((name) => on.has(name)) as [boolean, boolean, boolean];
  return { settings, words, file, help, version, printConfig };
}

function unknownFlag(name: string): ConfigError {
  const known = [...entries.map((each) => each.path), 'config', ...switches];
  return new ConfigError(`unknown flag --${name}; the nearest known one is --${nearest(name, known)}`);
}
