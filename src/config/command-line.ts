/** The arguments: settings as flags, words of a command, and the few flags that are no settings. */
import { entries, nearest } from './entries.ts';
import { ConfigError, type Given } from './given.ts';

export interface CommandLine {
  readonly settings: ReadonlyMap<string, Given>;
  /** Words that are no flags: `admin create`. Their own flags stay in them, in order. */
  readonly words: readonly string[];
  readonly file: string | undefined;
  readonly help: boolean;
  readonly version: boolean;
  readonly printConfig: boolean;
}

const switches = { '--help': 'help', '-h': 'help', '--version': 'version', '--print-config': 'printConfig' } as const;

/** `http.allowedOrigins` → `http-allowed-origins`. */
function kebab(path: string): string {
  return path
    .replace(/([a-z0-9])([A-Z])/g, '$1-$2')
    .replaceAll('.', '-')
    .toLowerCase();
}

/**
 * @param argv the arguments after the script's name
 * @throws ConfigError for an unknown flag or one without its value
 */
export function readCommandLine(argv: readonly string[]): CommandLine {
  const settings = new Map<string, Given>();
  const words: string[] = [];
  const on = { help: false, version: false, printConfig: false };
  let file: string | undefined;
  for (let index = 0; index < argv.length; index++) {
    const argument = argv[index]!;
    if (Object.hasOwn(switches, argument)) {
      on[switches[argument as keyof typeof switches]] = true;
      continue;
    }
    if (!argument.startsWith('--')) {
      words.push(argument);
      continue;
    }
    const [name, inline] = argument.slice(2).split(/=(.*)/s) as [string, string?];
    const entry = entries.find((each) => each.path === name || kebab(each.path) === name);
    if (!entry && name !== 'config') {
      // Words of a command (`admin create --username …`) keep their own flags.
      if (words.length === 0) throw unknownFlag(name);
      words.push(argument);
      continue;
    }
    const raw = inline ?? argv[++index];
    if (raw === undefined) throw new ConfigError(`the flag --${name} needs a value`);
    if (entry) settings.set(entry.path, { raw, origin: `the flag --${name}` });
    else file = raw;
  }
  return { settings, words, file, ...on };
}

function unknownFlag(name: string): ConfigError {
  const known = [...entries.map((each) => each.path), 'config', 'help', 'version', 'print-config'];
  return new ConfigError(`unknown flag --${name}; the nearest known one is --${nearest(name, known)}`);
}
