import { expect, test } from 'vitest';
import { readCommandLine } from './command-line.ts';

test('settings are flags by their path or in kebab case, with = or a space', () => {
  const { settings, words } = readCommandLine(['--http.port', '80', '--http-host=::1', '--moderation.timeout=1s']);
  expect([...settings].map(([path, { raw }]) => [path, raw])).toEqual([
    ['http.port', '80'],
    ['http.host', '::1'],
    ['moderation.timeout', '1s'],
  ]);
  expect(words).toEqual([]);
});

test('a command keeps its own flags in order, and settings may stand among them', () => {
  const { settings, words } = readCommandLine([
    'admin',
    'create',
    '--username',
    'ana',
    '--database.url=postgres://a/b',
    '--email=ana@example.org',
  ]);
  expect(words).toEqual(['admin', 'create', '--username', 'ana', '--email=ana@example.org']);
  expect([...settings.keys()]).toEqual(['database.url']);
});

test('a value may start with a dash or hold an equals sign', () => {
  const { settings } = readCommandLine(['--http.host', '-x', '--database.url=postgres://a/b?c=d']);
  expect(settings.get('http.host')?.raw).toBe('-x');
  expect(settings.get('database.url')?.raw).toBe('postgres://a/b?c=d');
});

test.each([['--help'], ['-h']])('%s asks for help', (flag) => {
  expect(readCommandLine([flag]).help).toBe(true);
});

test.each([
  [['--http.prot', '80'], 'unknown flag --http.prot; the nearest known one is --http.port'],
  [['--http.port'], 'the flag --http.port needs a value'],
  [['--config'], 'the flag --config needs a value'],
])('%j is refused', (argv, message) => {
  expect(() => readCommandLine(argv)).toThrow(message);
});
