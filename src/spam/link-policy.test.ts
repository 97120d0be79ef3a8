import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { createLinkPolicy } from './link-policy.ts';
import { createNormaliser } from './normalise.ts';

const artefacts = new URL('../../data/moderation/artefacts/', import.meta.url);
const normalise = createNormaliser(JSON.parse(readFileSync(new URL('lookalikes.json', artefacts), 'utf8')));
const policy = createLinkPolicy(
  {
    deny: ['evil.example', 'xn--bser-noa.example'],
    allow: ['paypal-docs.example', 'intern.local'],
    brands: ['paypal', 'google'],
    shorteners: ['sho.rt'],
  },
  normalise,
);
const ids = (text: string) => policy(normalise(text), text).map(({ action, label }) => `${action} ${label.id}`);

test.each([
  ['see https://evil.example/a'],
  ['see HTTPS://EVIL.EXAMPLE'],
  ['sub.evil.example'],
  ['evil.example.'],
  ['http:\\\\evil.example\\x'],
  ['//evil.example'],
  ['https://ｅｖｉｌ。example'],
  ['https://ev\u200bil.example'],
  ['https://%65vil.example'],
  ['evil dot example'],
  ['evil [.] example'],
  ['hxxp://evil(.)example/x'],
  ['[free](<https://evil.example>)'],
  ['https://еvil.example'],
  ['https://paypal.com.evil.example/login'],
])('a denied host is seen in %s', (text) => {
  expect(ids(text)).toContain('block link-denied');
});

test.each([
  ['https://pаypal.com', 'block link-homograph'],
  ['https://xn--pypal-4ve.com', 'block link-homograph'],
  ['https://google.com@host.example/x', 'block link-userinfo'],
  ['[x](javascript:alert(1))', 'block link-scheme'],
  ['[x](data:text/html,hi)', 'block link-scheme'],
  ['file:///etc/passwd', 'block link-scheme'],
  ['http://127.1/', 'block link-private'],
  ['http://0x7f.1/', 'block link-private'],
  ['http://2130706433', 'block link-private'],
  ['http://[::ffff:10.0.0.1]/', 'block link-private'],
  ['http://[fe80::1]/', 'block link-private'],
  ['http://localhost:3000', 'block link-private'],
  ['http://10-0-0-1.nip.io/', 'block link-private'],
  ['https://sho.rt/abc', 'flag link-shortener'],
  ['http://paypaI.com/x', 'flag link-brand'],
  ['https://gooogle.com', 'flag link-brand'],
  ['https://paypal-login.example', 'flag link-brand'],
  ['https://paypal.com.host.example', 'flag link-brand'],
  ['[https://paypal.com](https://host.example/a)', 'flag link-text'],
  ['https://www.google.com/url?q=https%3A%2F%2Fhost.example', 'flag link-redirect'],
])('%s is complained of', (text, complaint) => {
  expect(ids(`look at ${text}`)).toEqual([complaint]);
});

test.each([
  ['https://www.paypal.com/about and https://support.google.com/'],
  ['https://google.co.uk'],
  ['https://google.github.io/x'],
  ['https://münchen.de/ https://例え.jp https://пример.рф'],
  ['mailto:a@host.example or a@host.example'],
  ['https://host.example/?u=a@b.c'],
  ['http://8.8.8.8/'],
  ['http://172.32.0.1'],
  ['[docs](https://host.example/a) [host.example](https://www.host.example/)'],
  ['https://paypal-docs.example'],
  ['http://wiki.intern.local/'],
  ['node.js, vue.js, readme.md, 1.2.3, e.g.this, std::vector, C:\\temp, 3:45pm, 192.168.0.1'],
  ['notevil.example.org and polka dot dress'],
])('%s is nobody’s business', (text) => {
  expect(ids(text)).toEqual([]);
});

test('a complaint shows its place in the original', () => {
  const text = 'x https://ev\u200bil.example/a. y';
  const [finding] = policy(normalise(text), text);
  expect(finding!.label.matched).toBe('https://ev\u200bil.example/a');
  expect(text.slice(finding!.label.start, finding!.label.end)).toBe(finding!.label.matched);
});

test('a text of nothing but hosts is looked at up to a bound, and flagged for it', () => {
  expect(ids('a.com '.repeat(5000)).at(-1)).toBe('flag link-many');
});
