import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { parse } from 'yaml';
import { describeConfig, helpText } from './describe.ts';
import { entries, environmentName } from './entries.ts';
import { type Config, loadConfig } from './load.ts';
import { duration, size, writeDuration, writeSize } from './setting.ts';

const folder = mkdtempSync(join(tmpdir(), 'parley-describe-'));
const file = join(folder, 'parley.yaml');
afterAll(() => rmSync(folder, { recursive: true }));

/** What a file gives in an empty environment. */
function fromFile(yaml: string, environment: Record<string, string> = {}): Config {
  writeFileSync(file, yaml);
  return loadConfig(['--config', file], environment).config;
}

const plain = entries.filter(({ setting }) => !setting.secret);

/** Other values than the defaults, of every kind, as they come from the environment. */
function otherValue(kind: string, fallback: unknown): string | undefined {
  const number = Number(fallback);
  if (kind === 'duration') return `${number + 1000}ms`;
  if (kind === 'size') return String(number + 1023);
  if (kind === 'boolean') return String(fallback !== true);
  if (kind.includes('|')) return kind.split('|').find((each) => each !== fallback);
  return undefined;
}

test('the printed configuration is a file that gives the same configuration', () => {
  const environments: Record<string, string>[] = [
    {},
    { DATABASE_URL: 'postgres://u:p@h/d', JWT_SECRET: 'x'.repeat(32) },
  ];
  for (const environment of environments) {
    const { config } = loadConfig([], environment);
    const printed = describeConfig(config);
    expect(fromFile(printed, environment)).toEqual(config);
    expect(describeConfig(fromFile(printed, environment))).toBe(printed);
  }
});

test.each(plain.map(({ path, setting }) => [path, setting] as const))('so it is when %s is set', (path, setting) => {
  const value = otherValue(setting.kind, setting.fallback);
  const parsed = value === undefined ? undefined : setting.parse(value);
  // Some bounds leave no room for another value; the default is round as well.
  const usable = parsed && 'value' in parsed && !['role', 'moderation.flagThreshold'].includes(path);
  const { config } = loadConfig([], usable ? { [environmentName(path)]: value } : {});
  expect(fromFile(describeConfig(config))).toEqual(config);
});

test('texts and lists that YAML would read as something else stay what they are', () => {
  const environment = {
    PUBLIC_URL: 'https://chat.example.org/?a=1#x:y',
    PARLEY_NOTIFICATIONS_EMAIL_FROM: 'Yes: "No" <a@example.org>',
    PARLEY_ADMINS: 'null@example.org,1@2.3',
    PARLEY_REDIS_PREFIX: '0x10',
    PARLEY_HTTP_TRUST_PROXY: '::1/128,10.0.0.0/8',
    PARLEY_HTTP_ALLOWED_ORIGINS: 'https://a.example,http://b.example:81',
  };
  const { config } = loadConfig([], environment);
  expect(fromFile(describeConfig(config))).toEqual(config);
});

test('secrets are comments, so that no mask is taken for a secret', () => {
  const secrets = {
    JWT_SECRET: 's'.repeat(40),
    DATABASE_URL: 'postgres://u:hunter2@h/d',
    SMTP_URL: 'smtp://u:hunter2@h',
  };
  const printed = describeConfig(loadConfig([], secrets).config);
  expect(printed).not.toMatch(/sss|hunter2/);
  expect(printed).toContain('# auth.jwtSecret: "***"');
  expect(Object.keys(parse(printed) as object)).not.toContain('auth.jwtSecret');
  expect(fromFile(printed).auth.jwtSecret).toBeUndefined();
});

test.each([
  ['http.port: 81', 81],
  ['http: { port: 81 }', 81],
  ['http:\n  port: 81\nhttp.host: 0.0.0.0', 81],
  ['http:\nlog:', 8080],
])('a key may be nested or a path: %j', (yaml, port) => {
  expect(fromFile(yaml).http.port).toBe(port);
});

test.each([
  ['http.prot: 81', 'unknown key "http.prot"'],
  ['http.port.x: 81', 'unknown key "http.port.x"'],
  ['http: { port: 81 }\nhttp.port: 82', '"http.port" is given twice'],
  [
    'notifications.email: { delay: 1s }\nnotifications: { email.delay: 2s }',
    '"notifications.email.delay" is given twice',
  ],
  ['constructor: 1', 'unknown key "constructor"'],
  ['http: 81', '"http" in'],
])('%j is refused', (yaml, words) => {
  expect(() => fromFile(yaml)).toThrow(words);
});

test.each([
  [0, '0s'],
  [1, '1ms'],
  [500, '500ms'],
  [1500, '1500ms'],
  [10_000, '10s'],
  [90_000, '90s'],
  [600_000, '10m'],
  [86_400_000, '24h'],
  [172_800_000, '2d'],
  [604_800_000, '7d'],
  [0.25, '0.25ms'],
])('%d ms are written %s, and read again', (ms, text) => {
  expect(writeDuration(ms)).toBe(text);
  expect(duration('1s', '').parse(text)).toEqual({ value: ms });
});

test.each([
  [0, '0'],
  [1000, '1000'],
  [1024, '1kB'],
  [64 * 1024, '64kB'],
  [1_048_576, '1MB'],
  [1_048_577, '1048577'],
  [2 * 1024 ** 3, '2GB'],
])('%d bytes are written %s, and read again', (bytes, text) => {
  expect(writeSize(bytes)).toBe(text);
  expect(size('1', '').parse(text)).toEqual({ value: bytes });
});

test('durations are written as people write them wherever they are shown', () => {
  expect(() => loadConfig(['--notifications.email.delay', 'soon'], {})).toThrow(
    /allowed is a duration from 0s to 3650d/,
  );
  const help = helpText();
  expect(help).toMatch(/--http\.idempotencyKeep <duration> \[24h\]/);
  expect(help).toMatch(/--database\.lockTimeout <duration> \[500ms\]/);
  expect(help).not.toMatch(/\d{5,} ms/);
});

test('the help names every setting under the title of its group', () => {
  const help = helpText();
  for (const { path, environmentNames } of entries) {
    const line = help.split('\n').find((each) => each.startsWith(`  --${path} `));
    for (const name of environmentNames) expect(line?.split(' ')).toContain(name);
  }
  for (const title of ['General', 'Web server', 'Postgres', 'Logins']) expect(help).toContain(`\n\n${title}\n`);
});
