/**
 * Puts the configuration together: defaults < YAML file < environment < flags, checked by `schema.ts`.
 * The modules of this folder are the only ones that read the environment, the arguments and the file.
 */
import { type CommandLine, readCommandLine } from './command-line.ts';
import { entries } from './entries.ts';
import { ConfigError, type Given } from './given.ts';
import type { schema } from './schema.ts';
import type { Setting } from './setting.ts';
import { fromEnvironment, fromFile } from './sources.ts';

export { entries, environmentName } from './entries.ts';
export { ConfigError } from './given.ts';

type Values<Node> = Node extends Setting<infer Value> ? Value : { readonly [Key in keyof Node]: Values<Node[Key]> };

/** The effective configuration: durations in milliseconds, sizes in bytes, frozen. */
export type Config = Values<typeof schema>;

export interface Loaded extends Pick<CommandLine, 'words' | 'help' | 'printConfig'> {
  readonly config: Config;
  /** The origin of each setting that differs from its default: `the environment (PORT)`. */
  readonly origins: ReadonlyMap<string, string>;
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

/**
 * @param argv the arguments after the script's name
 * @throws ConfigError with the key, where its value came from and what is allowed
 */
export function loadConfig(argv: readonly string[], environment: NodeJS.ProcessEnv = process.env): Loaded {
  const { settings, words, file = environment.PARLEY_CONFIG, help, printConfig } = readCommandLine(argv);
  const given: ReadonlyMap<string, Given> = new Map([
    ...(file ? fromFile(file) : []),
    ...fromEnvironment(environment),
    ...settings,
  ]);
  const root: Record<string, unknown> = {};
  for (const { path, setting } of entries) {
    const from = given.get(path);
    assign(root, path, from ? check(path, setting, from) : setting.fallback);
  }
  // A first run with an embedded database is reachable only from this machine. The container image sets the host.
  const config = root as Config;
  if (!given.has('http.host') && config.database.url === undefined) assign(root, 'http.host', '127.0.0.1');
  checkTogether(config);
  const origins = new Map([...given].map(([path, { origin }]) => [path, origin]));
  return { config: freeze(config), origins, words, help, printConfig };
}

function check(path: string, setting: Setting<unknown>, { raw, origin }: Given): unknown {
  const parsed = setting.parse(raw);
  if ('value' in parsed) return parsed.value;
  const shown = setting.secret ? '(secret)' : JSON.stringify(raw);
  throw new ConfigError(`"${path}" from ${origin} is ${shown}; allowed is ${parsed.expected}`);
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
