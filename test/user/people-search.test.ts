/** Users are found by the beginning of their username or of a word in their name, without regard to case and accents. */
import { randomBytes } from 'node:crypto';
import postgres from 'postgres';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type BorrowedFleet, borrowFleet } from '../harness/borrowed-fleet.ts';
import { callApi, mustCall, signUp, type TestUser } from '../harness/test-client.ts';

let fleet: BorrowedFleet;
let ana: TestUser;
/** The usernames of all test users by their names. */
const people: Record<string, string> = {};

const names = [
  'Jürgen Müller',
  'Anne-Marie O’Brien',
  'Łukasz Żółć',
  'Đặng Thị Hồng',
  'Søren Strauß',
  'Ольга Йовович',
  'Ελένη Άλφα',
  '李雷 Wang',
  'ＡＢＣ Smith',
  '100% Sure_Thing \\ back',
  "Bobby'); drop",
];

beforeAll(async () => {
  fleet = await borrowFleet('moderation');
  ana = await signUp(fleet.chats[0]!.url);
  for (const [index, displayName] of names.entries()) {
    const username = index === 0 ? 'jens.meier_x' : `p${randomBytes(4).toString('hex')}`;
    const email = index === 0 ? 'zacharias@example.org' : `${username}@example.org`;
    const registration = { username, email, password: 'a long enough one', displayName };
    const { status } = await callApi(fleet.chats[0]!.url, 'POST', '/v1/auth/register', registration);
    expect(status).toBe(201);
    people[displayName] = username;
  }
});
afterAll(() => fleet.end());

async function find(query: string): Promise<string[]> {
  const { items } = await mustCall(ana, 'GET', `/v1/users?query=${encodeURIComponent(query)}`);
  return items!.map(({ displayName }) => displayName as string);
}

test.each([
  ['müller', 'Jürgen Müller'],
  ['MULL', 'Jürgen Müller'],
  ['Mu\u0308l', 'Jürgen Müller'],
  ['jur', 'Jürgen Müller'],
  ['Jürgen Mü', 'Jürgen Müller'],
  ['mü jür', 'Jürgen Müller'],
  ['jens', 'Jürgen Müller'],
  ['@Jens.Mei', 'Jürgen Müller'],
  ['jens.meier_x', 'Jürgen Müller'],
  ['marie', 'Anne-Marie O’Brien'],
  ['anne-m', 'Anne-Marie O’Brien'],
  ["o'bri", 'Anne-Marie O’Brien'],
  ['brien', 'Anne-Marie O’Brien'],
  ['zolc', 'Łukasz Żółć'],
  ['luk', 'Łukasz Żółć'],
  ['hong', 'Đặng Thị Hồng'],
  ['dang', 'Đặng Thị Hồng'],
  ['strauss', 'Søren Strauß'],
  ['STRAUẞ', 'Søren Strauß'],
  ['sor', 'Søren Strauß'],
  ['иов', 'Ольга Йовович'],
  ['ОЛЬ', 'Ольга Йовович'],
  ['αλφ', 'Ελένη Άλφα'],
  ['李', '李雷 Wang'],
  ['wang', '李雷 Wang'],
  ['abc', 'ＡＢＣ Smith'],
  ['thing', '100% Sure_Thing \\ back'],
  ['100', '100% Sure_Thing \\ back'],
  ['drop', "Bobby'); drop"],
])('%j finds %s', async (query, name) => {
  expect(await find(query)).toEqual([name]);
});

test.each([
  'üller',
  'ens',
  'meier',
  'jens mü ober',
  'zacharias',
  'zacharias@example.org',
  'example',
  '%',
  '_',
  '\\',
  "'",
  "''",
  ':*',
  '!',
  '&',
  '|',
  '雷',
])('%j finds nobody: no beginning of a word, an address, or no word at all', async (query) => {
  expect(await find(query)).toEqual([]);
});

test.each(["' | 'a':*", "a'", 'a\\', 'a:*', 'a & !b', '<->', 'jür\\', "jür' | 'x", '((', '-', '..', '@', '\u3164'])(
  '%j is searched as text, not as an operator',
  async (query) => {
    const answer = await ana.call('GET', `/v1/users?query=${encodeURIComponent(query)}`);
    expect(answer.status).toBe(200);
  },
);

test('a renamed user is found by the new name, an erased one not at all, and paging continues', async () => {
  const word = `q${randomBytes(4).toString('hex')}`;
  const others = await Promise.all([1, 2, 3].map(() => signUp(fleet.chats[0]!.url)));
  for (const other of others) await mustCall(other, 'PATCH', '/v1/users/me', { displayName: `Other ${word}é` });
  const found: string[] = [];
  let cursor = '';
  do {
    const page = await mustCall(ana, 'GET', `/v1/users?query=${word.toUpperCase()}E&limit=2${cursor}`);
    found.push(...page.items!.map(({ id }) => id as string));
    cursor = page.nextCursor ? `&cursor=${page.nextCursor}` : '';
  } while (cursor);
  expect(found.toSorted()).toEqual(others.map(({ id }) => id).toSorted());
  await mustCall(others[0]!, 'PATCH', '/v1/users/me', { displayName: 'Renamed' });
  await mustCall(others[1]!, 'DELETE', '/v1/users/me', { password: others[1]!.password });
  expect(await find(word)).toHaveLength(1);
});

test('the search uses an index, in any database locale', async () => {
  const sql = postgres(fleet.database.url, { max: 1 });
  const [plan] = await sql.begin(async (tx) => {
    await tx`set local enable_seqscan = off`;
    return tx`explain (format json) select id from users where erased_at is null
      and array_to_tsvector(parley_name_words(display_name) || lower(username)) @@ '''mull'':*'::tsquery`;
  });
  expect(JSON.stringify(plan)).toContain('users_names');
  await sql.end();
});

test('names that decompose into many letters are stored', async () => {
  const displayName = '\ufdfa'.repeat(64);
  const ben = await signUp(fleet.chats[0]!.url);
  expect(await ben.call('PATCH', '/v1/users/me', { displayName })).toMatchObject({
    status: 200,
    body: { displayName },
  });
});
