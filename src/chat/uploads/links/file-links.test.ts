import { expect, test } from 'vitest';
import { createFileLinks } from './file-links.ts';

const hourMs = 3_600_000;

function createTestLinks(key = 'k') {
  let nowMs = 1_800_000_000_000;
  const links = createFileLinks({ key: Buffer.from(key), baseUrl: '', lifetimeMs: hourMs, nowMs: () => nowMs });
  return { links, pass: (ms: number) => (nowMs += ms) };
}

function queryOf(url: string) {
  const { searchParams } = new URL(url, 'http://any');
  return { expires: Number(searchParams.get('expires')), signature: searchParams.get('signature')! };
}

test('a link is never valid for longer than its lifetime, and at least for three quarters of it', () => {
  for (const waitedMs of [0, 1, hourMs / 8, hourMs / 4 - 1]) {
    const { links, pass } = createTestLinks();
    pass(waitedMs);
    const query = queryOf(links.urls({ id: 'a', hasThumbnail: false }).url);
    pass((hourMs * 3) / 4 - 1000);
    expect(links.check('a', 'file', query)).toBe('valid');
    pass(hourMs / 4 + 1000);
    expect(links.check('a', 'file', query)).toBe('expired');
  }
});

test('a link stays the same for a while, so that browsers can cache what it shows', () => {
  const { links, pass } = createTestLinks();
  pass(1);
  const first = links.urls({ id: 'a', hasThumbnail: true });
  pass(hourMs / 4 - 1000);
  expect(links.urls({ id: 'a', hasThumbnail: true })).toEqual(first);
});

test('a signature holds for one file, one variant, one time and one key', () => {
  const { links } = createTestLinks();
  const { url, thumbnailUrl } = links.urls({ id: 'a', hasThumbnail: true });
  const query = queryOf(url);
  expect(links.check('a', 'thumbnail', queryOf(thumbnailUrl!))).toBe('valid');
  expect(links.check('b', 'file', query)).toBe('none');
  expect(links.check('a', 'thumbnail', query)).toBe('none');
  expect(links.check('a', 'file', { ...query, expires: query.expires + 1 })).toBe('none');
  expect(links.check('a', 'file', { ...query, signature: `${query.signature}AA` })).toBe('none');
  expect(links.check('a', 'file', { expires: query.expires })).toBe('none');
  expect(createTestLinks('other').links.check('a', 'file', query)).toBe('none');
});
