/** The text of `--help`, and the output of `--print-config`: a file with the effective configuration. */
import { type Entry, entries } from './entries.ts';
import type { Config } from './load.ts';

function valueAt(config: Config, path: string): unknown {
  return path.split('.').reduce<unknown>((node, key) => (node as Record<string, unknown>)[key], config);
}

/**
 * A configuration file with every effective value. Secrets are comments, because a mask would be read as their value.
 */
export function describeConfig(config: Config): string {
  const lines = entries.map(({ path, setting }) => {
    const value = valueAt(config, path);
    const isSet = value !== undefined && JSON.stringify(value).length > 2;
    if (setting.secret) return isSet ? `# ${path}: "***"` : `# ${path}:`;
    if (setting.kind === 'duration') return `${path}: ${JSON.stringify(setting.write(value))}`;
    // The value is in bytes for programs; the comment is for people.
    if (setting.kind === 'size') return `${path}: ${JSON.stringify(value)} # ${setting.write(value)}`;
    return `${path}: ${JSON.stringify(value ?? null)}`;
  });
  return ['# Secrets are not printed: give them in the environment.', ...lines].join('\n');
}

/** The titles of the groups of settings. */
const titles: Readonly<Record<string, string>> = {
  '': 'General',
  log: 'Log',
  http: 'Web server',
  metrics: 'Metrics',
  drain: 'Stopping',
  database: 'Postgres',
  redis: 'Redis',
  realtime: 'Live connections',
  resume: 'Resume and replay',
  message: 'Messages',
  room: 'Rooms',
  uploads: 'Uploaded files',
  limits: 'Limits',
  erasure: 'Erasure of accounts',
  auth: 'Logins',
  outbound: 'Requests to URLs of users',
  previews: 'Previews of links',
  processing: 'Processing service',
  moderation: 'Moderation',
  notifications: 'Notifications',
  smtp: 'Mail server',
  jobs: 'Jobs',
};

const commands: readonly (readonly [string, string])[] = [
  ['[--role chat|processing|all]', 'start Parley'],
  ['admin create --username <name> --email <address>', 'create an admin; reads the password from standard input'],
  ['admin setup-link', 'print a link that creates the first admin'],
  ['admin verify-erased <user id or receipt> [--contains <text> …]', 'search for traces of an erased user'],
  ['config check [file]', 'check the configuration and exit'],
  ['token --sub <id> [--name <name>] [--lifetime <duration>]', 'print a token of the first host application'],
  ['doctor', 'check everything that Parley needs to start'],
];

const options: readonly (readonly [string, string])[] = [
  ['--config <file>', 'read this YAML file (PARLEY_CONFIG)'],
  ['--print-config', 'print the effective configuration as a file, without secrets'],
  ['--version', 'print the version'],
  ['--help', 'print this help'],
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
    '10m, 24h, 7d; sizes are bytes or 64kB, 1MB. Each flag is shown with its type, [default] and environment name.',
    ...[...groups].flatMap(([group, members]) => ['', titles[group] ?? group, ...members.map(describeEntry)]),
    '',
  ].join('\n');
}
