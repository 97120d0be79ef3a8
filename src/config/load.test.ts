import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { loadConfig } from './load.ts';

const folder = mkdtempSync(join(tmpdir(), 'parley-config-'));
const file = join(folder, 'parley.yaml');
afterAll(() => rmSync(folder, { recursive: true }));

/** @returns the complaint, or undefined when the file is good */
function complaintOf(yaml: string): string | undefined {
  writeFileSync(file, yaml);
  try {
    loadConfig(['--config', file], {});
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

test.each([
  ['http: { port: [1] }', '"http.port"'],
  ['http: { bodyBytes: [5] }', '"http.bodyBytes"'],
  ['drain: { timeout: [5] }', '"drain.timeout"'],
  ['moderation: { flagThreshold: [0.5] }', '"moderation.flagThreshold"'],
  ['auth: { guests: { enabled: [true] } }', '"auth.guests.enabled"'],
  ['role: [all]', '"role"'],
  ['admins: { a: b }', '"admins"'],
])('a list or a mapping is no value: %s is refused, naming the key', (yaml, key) => {
  expect(complaintOf(yaml)).toMatch(new RegExp(`^${key} from ${file} is .*; allowed is `));
});

test.each(['foo://x', 'https://', 'processing:8081'])('%s is no address of a processing instance', (url) => {
  expect(() => loadConfig([], { PROCESSING_URL: url })).toThrow(/"processing.url".*; allowed is http\(s\) URLs/);
});

test('lists are taken as lists and as texts with commas', () => {
  expect(complaintOf('admins: [a@example.org, b@example.org]')).toBeUndefined();
  const { config } = loadConfig([], { PROCESSING_URL: 'http://a:8081, https://b' });
  expect(config.processing.url).toEqual(['http://a:8081', 'https://b']);
});
