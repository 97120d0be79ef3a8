/** The configuration in words: the text of `--help`, and `--print-config` as a file that gives the same configuration. */
import { type Entry, entries } from './entries.ts';
import type { Config } from './load.ts';

function valueAt(config: Config, path: string): unknown {
  return path.split('.').reduce<unknown>((node, key) => (node as Record<string, unknown>)[key], config);
}

/**
 * A configuration file with every effective value. Secrets are left out, as comments: a mask in their place would be taken
 * for their value.
 */
export function describeConfig(config: Config): string {
  const lines = entries.map(({ path, setting }) => {
    const value = valueAt(config, path);
    const isSet = value !== undefined && JSON.stringify(value).length > 2;
    if (setting.secret) return isSet ? `# ${path}: "***"` : `# ${path}:`;
    if (setting.kind === 'duration') return `${path}: ${JSON.stringify(setting.write(value))}`;
    // In bytes for programs that read it; people read the comment.
    if (setting.kind === 'size') return `${path}: ${JSON.stringify(value)} # ${setting.write(value)}`;
    return `${path}: ${JSON.stringify(value ?? null)}`;
  });
  return ['# Secrets are not printed: give them in the environment.', ...lines].join('\n');
}

/** What stands above a group of settings. */
const titles: Readonly<Record<string, string>> = {
  '': 'General',
  log: 'Log',
  http: 'Web server',
  metrics: 'Metrics',
  drain: 'Stopping',
  database: 'Postgres',
  redis: 'Redis',
  realtime: 'Live connections',
  resume: 'Resuming',
  message: 'Messages',
  room: 'Rooms',
  limits: 'Limits',
  erasure: 'Erasing people',
  auth: 'Logins',
  outbound: 'Requests to others',
  processing: 'Processing service',
  moderation: 'Moderation',
  notifications: 'Notifications',
  smtp: 'Mail server',
  jobs: 'Jobs',
};

const commands: readonly (readonly [string, string])[] = [
  ['[--role chat|processing|all]', 'start'],
  ['admin create --username <name> --email <address>', 'make an admin; the password on standard input'],
  ['admin setup-link', 'print a link that makes the first admin'],
  ['admin verify-erased <user id or receipt> [--contains <text> …]', 'search for what is left of a person'],
  ['config check [file]', 'check the configuration and exit'],
  ['token --sub <id> [--name <name>] [--lifetime <duration>]', 'print a token of the first host application'],
  ['doctor', 'check everything that a start needs'],
];

const options: readonly (readonly [string, string])[] = [
  ['--config <file>', 'YAML configuration (PARLEY_CONFIG)'],
  ['--print-config', 'print the effective configuration as a file, without secrets'],
  ['--version', 'print the version'],
  ['--help', 'print this'],
];

function describeEntry({ path, setting, environmentNames }: Entry): string {
  const { kind, doc, secret, fallback } = setting;
  const hasDefault = !secret && fallback !== undefined && !['[]', '{}'].includes(JSON.stringify(fallback));
  const initial = hasDefault ? ` [${setting.write(fallback).replaceAll('"', '')}]` : '';
  return `  --${path} <${kind}>${initial}  ${environmentNames.toReversed().join(' ')}\n      ${doc}`;
}

function table(rows: readonly (readonly [string, string])[], prefix = ''): string[] {
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `  ${prefix}${left.padEnd(width)}  ${right}`);
}

/** The text of `--help`. */
export function helpText(): string {
  const groups = Map.groupBy(entries, ({ group }) => group);
  return [
    'Usage: node src/main.ts [command] [--key value …]',
    '',
    'Commands',
    ...table(commands),
    '',
    'Options',
    ...table(options),
    '',
    'Settings: a flag wins over the environment, the environment over the file. Durations are seconds or 500ms, 10s,',
    '10m, 24h, 7d; sizes are bytes or 64kB, 1MB. Behind each flag: what it takes, its [default], its name in the environment.',
    ...[...groups].flatMap(([group, members]) => ['', titles[group] ?? group, ...members.map(describeEntry)]),
    '',
  ].join('\n');
}
