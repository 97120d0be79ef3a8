/**
 * Puts the configuration together: defaults < YAML file < environment < flags, checked by `schema.ts`.
 * The only module that reads the environment, the arguments and the file.
 */
import { readFileSync } from 'node:fs';
import { parse as parseYaml } from 'yaml';
import { schema } from './schema.ts';
import { withoutServiceVariables } from './service-variables.ts';
import type { Setting } from './setting.ts';

type Tree = { readonly [key: string]: Tree | Setting<unknown> };
type Values<Node> = Node extends Setting<infer Value> ? Value : { readonly [Key in keyof Node]: Values<Node[Key]> };

/** The effective configuration: durations in milliseconds, sizes in bytes, frozen. */
export type Config = Values<typeof schema>;

/** The start is refused; the message is one line for the operator. */
export class ConfigError extends Error {}

interface Entry {
  readonly path: string;
  readonly setting: Setting<unknown>;
  readonly environmentNames: readonly string[];
}

function isSetting(node: Tree | Setting<unknown>): node is Setting<unknown> {
  return typeof (node as Setting<unknown>).parse === 'function';
}

function flatten(tree: Tree, prefix = ''): Entry[] {
  return Object.entries(tree).flatMap(([key, node]) => {
    const path = prefix ? `${prefix}.${key}` : key;
    if (!isSetting(node)) return flatten(node, path);
    return [{ path, setting: node, environmentNames: [environmentName(path), ...node.aliases] }];
  });
}

/** `notifications.email.delay` → `PARLEY_NOTIFICATIONS_EMAIL_DELAY`, `publicUrl` → `PARLEY_PUBLIC_URL`. */
export function environmentName(path: string): string {
  return `PARLEY_${path
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .replaceAll('.', '_')
    .toUpperCase()}`;
}

/** Every setting with its path, for `--help`, the docs and the tests. */
export const entries: readonly Entry[] = flatten(schema as unknown as Tree);

function distance(left: string, right: string): number {
  let row = Array.from({ length: right.length + 1 }, (_, index) => index);
  for (let i = 1; i <= left.length; i++) {
    const next = [i];
    for (let j = 1; j <= right.length; j++) {
      const cost = left[i - 1] === right[j - 1] ? 0 : 1;
      next.push(Math.min(next[j - 1]! + 1, row[j]! + 1, row[j - 1]! + cost));
    }
    row = next;
  }
  return row[right.length]!;
}

function nearest(name: string, candidates: readonly string[]): string {
  return candidates.reduce((best, each) =>
    distance(name.toLowerCase(), each.toLowerCase()) < distance(name.toLowerCase(), best.toLowerCase()) ? each : best,
  );
}

interface Given {
  readonly raw: unknown;
  readonly origin: string;
}

function readFile(path: string): Record<string, unknown> {
  let content: unknown;
  try {
    content = parseYaml(readFileSync(path, 'utf8'));
  } catch (cause) {
    throw new ConfigError(`configuration file ${path} cannot be read: ${(cause as Error).message.split('\n')[0]}`, {
      cause,
    });
  }
  if (content === null || content === undefined) return {};
  if (typeof content !== 'object' || Array.isArray(content))
    throw new ConfigError(`configuration file ${path} must hold keys and values`);
  return content as Record<string, unknown>;
}

function fromFile(node: unknown, tree: Tree, origin: string, prefix: string, into: Map<string, Given>): void {
  for (const [key, value] of Object.entries(node as Record<string, unknown>)) {
    const path = prefix ? `${prefix}.${key}` : key;
    const known = Object.hasOwn(tree, key) ? tree[key] : undefined;
    if (!known) {
      const near = nearest(
        path,
        entries.map((entry) => entry.path),
      );
      throw new ConfigError(`unknown key "${path}" in ${origin}; the nearest known key is "${near}"`);
    }
    if (isSetting(known)) into.set(path, { raw: value, origin });
    else if (typeof value === 'object' && value !== null && !Array.isArray(value))
      fromFile(value, known, origin, path, into);
    else throw new ConfigError(`"${path}" in ${origin} must hold keys, not ${JSON.stringify(value)}`);
  }
}

/** `PARLEY_AUTH_PROVIDERS_ACME_CLIENT_ID` → `{ acme: { clientId } }`. */
function openFromEnvironment(entry: Entry, environment: NodeJS.ProcessEnv, used: Set<string>): Given | undefined {
  const prefix = `${environmentName(entry.path)}_`;
  const value: Record<string, Record<string, string>> = {};
  for (const [name, raw] of Object.entries(environment)) {
    const match = name.startsWith(prefix) ? /^([A-Z0-9]+)_([A-Z0-9_]+)$/.exec(name.slice(prefix.length)) : null;
    if (!match || raw === undefined) continue;
    const field = match[2]!.toLowerCase().replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
    const owner = match[1]!.toLowerCase();
    value[owner] = { ...value[owner], [field]: raw };
    used.add(name);
  }
  return Object.keys(value).length === 0 ? undefined : { raw: value, origin: `the environment (${prefix}…)` };
}

function fromEnvironment(environment: NodeJS.ProcessEnv, into: Map<string, Given>): void {
  const used = new Set(['PARLEY_CONFIG']);
  // What hosts set anyway; our own name for it comes below and wins.
  if (environment.NODE_ENV === 'production')
    into.set('environment', { raw: 'production', origin: 'the environment (NODE_ENV)' });
  for (const entry of entries) {
    if (entry.setting.open) {
      const open = openFromEnvironment(entry, environment, used);
      if (open) into.set(entry.path, open);
    }
    for (const name of entry.environmentNames) {
      used.add(name);
      const raw = environment[name];
      if (raw === undefined || raw === '') continue;
      into.set(entry.path, { raw, origin: `the environment (${name})` });
      break;
    }
  }
  for (const name of Object.keys(environment)) {
    if (!name.startsWith('PARLEY_') || used.has(name)) continue;
    const near = nearest(
      name,
      entries.map((entry) => entry.environmentNames[0]!),
    );
    throw new ConfigError(`unknown setting ${name} in the environment; the nearest known one is ${near}`);
  }
}

interface Arguments {
  readonly settings: Map<string, Given>;
  readonly words: readonly string[];
  readonly file: string | undefined;
  readonly help: boolean;
  readonly printConfig: boolean;
}

function readArguments(argv: readonly string[]): Arguments {
  const settings = new Map<string, Given>();
  const words: string[] = [];
  let file: string | undefined;
  let help = false;
  let printConfig = false;
  for (let index = 0; index < argv.length; index++) {
    const argument = argv[index]!;
    if (!argument.startsWith('--')) {
      words.push(argument);
      continue;
    }
    const [name, inline] = argument.slice(2).split(/=(.*)/s) as [string, string?];
    if (name === 'help') help = true;
    else if (name === 'print-config') printConfig = true;
    else {
      const entry = entries.find((each) => each.path === name || kebab(each.path) === name);
      if (!entry && name !== 'config') {
        // Words of a command (`admin create --username …`) keep their own flags.
        if (words.length > 0) {
          words.push(argument);
          continue;
        }
        throw new ConfigError(
          `unknown flag --${name}; the nearest known one is --${nearest(name, [...entries.map((each) => each.path), 'config', 'help', 'print-config'])}`,
        );
      }
      const raw = inline ?? argv[++index];
      if (raw === undefined) throw new ConfigError(`the flag --${name} needs a value`);
      if (name === 'config') file = raw;
      else if (entry) settings.set(entry.path, { raw, origin: `the flag --${name}` });
    }
  }
  return { settings, words, file, help, printConfig };
}

function kebab(path: string): string {
  return path
    .replace(/([a-z0-9])([A-Z])/g, '$1-$2')
    .replaceAll('.', '-')
    .toLowerCase();
}

function assign(root: Record<string, unknown>, path: string, value: unknown): void {
  const keys = path.split('.');
  const last = keys.pop()!;
  let node = root;
  for (const key of keys) {
    node[key] ??= {};
    node = node[key] as Record<string, unknown>;
  }
  node[last] = value;
}

function freeze<Value>(value: Value): Value {
  if (typeof value === 'object' && value !== null) {
    for (const each of Object.values(value)) freeze(each);
    Object.freeze(value);
  }
  return value;
}

export interface Loaded {
  readonly config: Config;
  /** Words that are no flags: `admin create`. Their own flags stay in them, in order. */
  readonly words: readonly string[];
  readonly help: boolean;
  readonly printConfig: boolean;
}

/**
 * @param argv the arguments after the script's name
 * @throws ConfigError with the key, where its value came from and what is allowed
 */
export function loadConfig(argv: readonly string[], environment: NodeJS.ProcessEnv = process.env): Loaded {
  const given = readArguments(argv);
  const raw = new Map<string, Given>();
  const file = given.file ?? environment.PARLEY_CONFIG;
  if (file) fromFile(readFile(file), schema as unknown as Tree, file, '', raw);
  fromEnvironment(withoutServiceVariables(environment), raw);
  for (const [path, value] of given.settings) raw.set(path, value);

  const root: Record<string, unknown> = {};
  for (const { path, setting } of entries) {
    const from = raw.get(path);
    if (!from) {
      assign(root, path, setting.fallback);
      continue;
    }
    const parsed = setting.parse(from.raw);
    if ('expected' in parsed) {
      const shown = setting.secret ? '(secret)' : JSON.stringify(from.raw);
      throw new ConfigError(`"${path}" from ${from.origin} is ${shown}; allowed is ${parsed.expected}`);
    }
    assign(root, path, parsed.value);
  }
  // A first run is nobody else's business: whoever wants to be reached says so, as the image does.
  if (!raw.has('http.host') && !raw.has('database.url')) assign(root, 'http.host', '127.0.0.1');
  const config = root as unknown as Config;
  checkTogether(config);
  return { config: freeze(config), words: given.words, help: given.help, printConfig: given.printConfig };
}

/** Rules that span several settings. */
function checkTogether(config: Config): void {
  if (config.role !== 'all' && !config.database.url) {
    throw new ConfigError(`"database.url" (DATABASE_URL) is missing: the role ${config.role} has no embedded database`);
  }
  const loopback = ['127.0.0.1', 'localhost', '::1'].includes(config.processing.host);
  if (config.role !== 'chat' && !loopback && !config.processing.token) {
    throw new ConfigError(
      '"processing.token" (PROCESSING_TOKEN) is missing: it is needed where "processing.host" is not loopback',
    );
  }
  if (config.moderation.flagThreshold > config.moderation.blockThreshold) {
    throw new ConfigError('"moderation.flagThreshold" must not be above "moderation.blockThreshold"');
  }
}

/** The effective configuration for people, secrets masked. */
export function describeConfig(config: Config): string {
  return entries
    .map(({ path, setting }) => {
      const value = path.split('.').reduce<unknown>((node, key) => (node as Record<string, unknown>)[key], config);
      const masked = setting.secret && value !== undefined && JSON.stringify(value).length > 2;
      return `${path}: ${masked ? '"***"' : JSON.stringify(value ?? null)}`;
    })
    .join('\n');
}

/** The text of `--help`. */
export function helpText(): string {
  const lines = entries.map(({ path, setting, environmentNames }) => {
    const initial = setting.secret
      ? ''
      : ` (default ${JSON.stringify(setting.fallback ?? null)}${setting.kind === 'duration' ? ' ms' : ''})`;
    return `  --${path} <${setting.kind}>\n      ${setting.doc}${initial}\n      ${environmentNames.join(', ')}`;
  });
  return [
    'Usage: node src/main.ts [--role chat|processing|all] [--config file.yaml] [--key value …]',
    '       node src/main.ts admin create --username <name> --email <address> (password on standard input)',
    '       node src/main.ts admin verify-erased <user id> [--contains <text> …]',
    '',
    '  --config <file>\n      YAML configuration\n      PARLEY_CONFIG',
    '  --print-config\n      Print the effective configuration, secrets masked, and exit',
    '  --help\n      Print this and exit',
    ...lines,
    '',
  ].join('\n');
}
