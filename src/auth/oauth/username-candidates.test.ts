import { expect, test } from 'vitest';
import { isMentionable } from '../../transform/mention-names.ts';
import { usernameCandidates } from './username-candidates.ts';

const wishes = (person: { username?: string; email?: string; name?: string }) => [
  ...usernameCandidates({ issuer: 'x', subject: 'y', ...person }, (name) => isMentionable(name) && name !== 'admin'),
];
const drawn = /^user-[23456789bcdfghjkmnpqrstvwxz]{6}$/;

test.each([
  ['Jürgen Müller', 'Jurgen-Muller'],
  ['Łukasz Żółć', 'Lukasz-Zolc'],
  ['Strauß', 'Strauss'],
  ['Søren Kierkegård', 'Soren-Kierkegard'],
  ['Đặng Thị Hồng', 'Dang-Thi-Hong'],
  ['Þórður Æsir', 'Thordur-AEsir'],
  ['Nguyễn', 'Nguyen'],
  ['Ekin Işık', 'Ekin-Isik'],
  ['Conan O’Brien', 'Conan-OBrien'],
  ['  --Ana  (she/her) 🌹', 'Ana-she-her'],
  ['Jose\u0301', 'Jose'],
  ['Ａｎａ', 'Ana'],
  ['李雷 Li Lei', 'Li-Lei'],
  [`${'Very '.repeat(6)}Long`, 'Very-Very-Very-Very-Very-Very-Lo'],
  [`${'a'.repeat(31)}-b`, 'a'.repeat(31)],
])('%s is called %s', (name, username) => {
  expect(wishes({ name })[0]).toBe(username);
});

test.each(['李雷', 'Иван Петров', 'أحمد', '🌹🌹', '李雷 7', 'X', 'admin', '...', ''])(
  '%j leaves nothing to read: a drawn name',
  (name) => {
    const all = wishes({ name });
    expect(all).toHaveLength(5);
    for (const each of all) expect(each).toMatch(drawn);
  },
);

test('a username counts before an address, and an address before a name; what leaves nothing is passed over', () => {
  expect(wishes({ username: 'octo', email: 'a@example.org', name: 'Ana' })[0]).toBe('octo');
  expect(wishes({ username: '李雷', email: 'li.lei@example.org', name: 'Ana' })[0]).toBe('li.lei');
  expect(wishes({ username: '李雷', email: '7@example.org', name: 'Ana' })[0]).toBe('Ana');
  expect(wishes({ username: '007', name: 'Ana' })[0]).toBe('007');
  // Some providers call people by their address, which is not for everybody to see.
  expect(wishes({ username: 'jurgen.muller@corp.example' })[0]).toBe('jurgen.muller');
});

test('a name that is taken gets a tail, and every wish can be mentioned', () => {
  const all = wishes({ name: 'Very Long Name That Needs To Be Cut' });
  expect(all.slice(1, 6)).toEqual(Array(5).fill(expect.stringMatching(/^Very-Long-Name-That-Needs-[^-]{6}$/)));
  expect(all.slice(6)).toEqual(Array(5).fill(expect.stringMatching(drawn)));
  expect(new Set(all).size).toBe(all.length);
  expect(all.filter((each) => !isMentionable(each))).toEqual([]);
});
