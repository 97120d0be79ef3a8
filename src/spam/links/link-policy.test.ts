import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { createNormaliser } from '../text/normalise.ts';
import { createLinkPolicy } from './link-policy.ts';

const artefacts = new URL('../../../data/moderation/artefacts/', import.meta.url);
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
  ['请看https://evil.example/a 谢谢'],
  ['请看https://evil.example谢谢'],
  ['evil.example谢谢'],
  ['смотриhttps://evil.example🎉'],
  ['https://evil.example～'],
])('a denied host is found in %s', (text) => {
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
  ['http://0177.0.0.1/', 'block link-private'],
  ['https://sho.rt/abc', 'flag link-shortener'],
  ['http://paypaI.com/x', 'flag link-brand'],
  ['https://gooogle.com', 'flag link-brand'],
  ['https://paypal-login.example', 'flag link-brand'],
  ['https://paypal.com.host.example', 'flag link-brand'],
  ['[https://paypal.com](https://host.example/a)', 'flag link-text'],
  ['https://www.google.com/url?q=https%3A%2F%2Fhost.example', 'flag link-redirect'],
])('%s gets a label', (text, complaint) => {
  expect(ids(`look at ${text}`)).toEqual([complaint]);
});

const privateLinks = [
  'http://localhost:3000',
  'http://localhost',
  'http://app.localhost:8080/login?next=/',
  'http://127.0.0.1:5173/',
  'http://10.0.0.5/wiki',
  'http://172.16.3.4:9000',
  'http://192.168.1.1/admin',
  'http://169.254.169.254/latest/meta-data',
  'http://printer.local',
  'https://grafana.internal/d/1',
  'https://discord-bot.internal/health',
  'http://nas.lan:5000/',
  'http://wiki/Main_Page',
  'http://nas:5000/',
  'http://[::1]:8080/a',
  'http://[fd12:3456::1]/',
  'http://[fe80::1]/',
  'http://10-0-0-1.nip.io/',
  'http://app.lvh.me:3000',
  'http://admin:secret@192.168.1.1/',
];

test.each(privateLinks)(
  'a private host that is written as usual gets no label unless a setting says so: %s',
  (text) => {
    expect(ids(`the build runs at ${text} now`)).toEqual([]);
    for (const action of ['flag', 'block'] as const) {
      const strict = createLinkPolicy(
        { deny: [], allow: ['intern.local'], brands: [], shorteners: [], private: action },
        normalise,
      );
      expect(strict(normalise(text), text).map(({ action: done, label }) => `${done} ${label.id}`)).toEqual([
        `${action} link-private`,
      ]);
    }
  },
);

test('denied hosts and imitations are labelled in a private network too', () => {
  const strict = createLinkPolicy({ deny: ['old.internal'], allow: [], brands: [], shorteners: [] }, normalise);
  const text = 'http://old.internal/ http://paypal.com@10.0.0.1/';
  expect(strict(normalise(text), text).map(({ label }) => label.id)).toEqual(['link-denied', 'link-userinfo']);
});

test.each([
  ['https://www.paypal.com/about and https://support.google.com/'],
  ['https://google.co.uk'],
  ['请看https://paypal.com谢谢 https://google.com，'],
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
])('%s gets no label', (text) => {
  expect(ids(text)).toEqual([]);
});

test('a label has the offsets of the original text', () => {
  const text = 'x https://ev\u200bil.example/a. y';
  const [finding] = policy(normalise(text), text);
  expect(finding!.label.matched).toBe('https://ev\u200bil.example/a');
  expect(text.slice(finding!.label.start, finding!.label.end)).toBe(finding!.label.matched);
});

test('a text with too many hosts is checked up to a bound and flagged', () => {
  expect(ids('a.com '.repeat(5000)).at(-1)).toBe('flag link-many');
});
