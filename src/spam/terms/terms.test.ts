import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { createNormaliser } from '../text/normalise.ts';
import { createTermMatcher, type TermLists } from './terms.ts';

const artefacts = new URL('../../../data/moderation/artefacts/', import.meta.url);
const json = (name: string) => JSON.parse(readFileSync(new URL(name, artefacts), 'utf8'));
const normalise = createNormaliser(json('lookalikes.json'));
const lists = json('terms.json') as TermLists;
const match = createTermMatcher(lists, normalise);
const find = (text: string) => match(normalise(text), text);

describe.each([
  ['capitals', 'ShIt'],
  ['stretched letters', 'fuuuuckkkk'],
  ['letters between signs', 'f.u-c_k'],
  ['letters between spaces', 'f u c k'],
  ['letters between emoji', 'f🔥u🔥c🔥k'],
  ['one cut', 'fu-ck'],
  ['one space', 'fu ck'],
  ['a mask', 'f**k'],
  ['a mask that is something else as well', 'b-tch'],
  ['an emoji as a mask', 'sh💩t'],
  ['a bleep', 'f***'],
  ['digits and signs', '$h1t'],
  ['digits, signs and spaces', '5 h ! t'],
  ['drawn letters', '|=|_|(|<'],
  ['Cyrillic letters', 'fuсk'],
  ['Cyrillic letters with nothing between', 'ѕ\u200bһ\u200bі\u200bт'],
  ['full width', 'ｆｕｃｋ'],
  ['styled letters', '𝓯𝓾𝓬𝓴'],
  ['small capitals', 'ꜰᴜᴄᴋ'],
  ['flags', '🇫 🇺 🇨 🇰'],
  ['letters of fancy text', 'Ŧยςк'],
  ['marks over and under', 'f̸̢u̵̕c̴̛k̶̡'],
  ['upside down', 'ʞɔnɟ'],
  ['turned letters in order', 'ɟnɔʞ'],
  ['an override', '\u202ekcuf\u202c'],
  ['an override within', 'f\u202ekcu\u202c'],
  ['entities', '&#102;&#x75;ck'],
  ['percent escapes', '%66uc%6b'],
  ['emphasis', 'f**u**ck'],
  ['code', 'fu`ck`'],
  ['a link', 'fu[ck](https://example.org)'],
  ['tags', 'f<b>u</b>ck'],
  ['respelling', 'phuk'],
  ['swapped letters', 'fcuk'],
  ['other words around it', 'thefuckbot'],
])('%s', (_, disguised) => {
  test('do not hide a term, and its span is that of the disguise', () => {
    const text = `well ${disguised} that`;
    const labels = find(text);
    expect(labels).toHaveLength(1);
    const { start, end, matched, id } = labels[0]!;
    expect(matched).toBe(text.slice(start, end));
    expect(id).toMatch(/^term:/);
    const overlap = Math.min(end, 5 + disguised.length) - Math.max(start, 5);
    expect(overlap / disguised.length).toBeGreaterThan(0.5);
    expect(start).toBeGreaterThanOrEqual(5);
    expect(end).toBeLessThanOrEqual(5 + disguised.length);
  });
});

test.each([
  ['Scunthorpe'],
  ['assassin'],
  ['cockpit'],
  ['Alfred Hitchcock directed it'],
  ['shiitake'],
  ['classic'],
  ['Essex'],
  ['analysis'],
  ['push it'],
  ['as set'],
  ['who’re you'],
  ["it's hit"],
  ['U.S. hit'],
  ['saltwater and a wristwatch'],
  ['Nigeria'],
  ['the cock crowed at five'],
  ['Dick Van Dyke'],
  ['blue tits nest in the box'],
  ['the bitch had six puppies'],
  ['filmen är slut nu'],
  ['Le train a du retard'],
  ['Kunt u mij helpen?'],
  ['Потребитель доволен'],
  ['la mer de Chine'],
  ['1 2 3 4'],
  ['a b c d e'],
  ['s e c r e t'],
  ['c.o.u.n.t.y'],
  ['part no. P155-17'],
  ['d41d8cd98f00b204e9800998ecf8427e'],
  ['the regex (?:sh|it) matches twice'],
  ['**bold** and **pi**'],
  ['(little) <like this> poor. cli.'],
  ['pa$$word reset'],
  ['noooooo! yesss!! Buzz!'],
])('%s is innocent', (text) => {
  expect(find(text)).toEqual([]);
});

test.each([
  ['a name', 'Dick called', 0],
  ['an insult', 'you dick', 1],
  ['a disguise that nobody needs for a name', 'such a d1ck', 1],
])('a word with two senses: %s', (_, text, count) => {
  expect(find(text)).toHaveLength(count);
});

test('each label names its term and covers it from the first to the last unit', () => {
  const text = '😀 ｓｈｉｔ, then a 𝓫𝓲𝓽𝓬𝓱 and h​úr​ensohn';
  expect(find(text).map(({ id, matched }) => [id, matched])).toEqual([
    ['term:shit', 'ｓｈｉｔ'],
    ['term:bitch', '𝓫𝓲𝓽𝓬𝓱'],
    ['term:hurensohn', 'h​úr​ensohn'],
  ]);
});

test('words of a deployment are found in the same disguises, and phrases across their spaces', () => {
  const terms = [
    { term: 'zorgblat', name: 'rule', score: 1, kind: 'strong' as const },
    { term: 'buy my course', name: 'rule', score: 1, kind: 'phrase' as const },
  ];
  const own = createTermMatcher({ ...lists, terms }, normalise);
  const ids = (text: string) => own(normalise(text), text).map(({ id }) => id);
  expect(ids('z0rgbl4t and z.o.r.g.b.l.a.t')).toEqual(['term:zorgblat', 'term:zorgblat']);
  expect(ids('please BUY MY   COURSE now, buy-my-course')).toEqual(['term:buy my course', 'term:buy my course']);
  expect(ids('buy my courses, zorg')).toEqual([]);
});

test('the result does not depend on the texts before', () => {
  const before = ['short', 'A LONGER TEXT IN CAPITALS', 'x'.repeat(5000), '**a** [b](c) <d>'];
  for (const text of ['what a dUmBaSs', 'you shit', 'push it', 'fu[ck]'])
    for (const each of before) {
      const alone = find(text);
      find(each);
      expect(find(text)).toEqual(alone);
    }
});

test('a term behind a hostile beginning is still found', () => {
  expect(find(`${'](f*'.repeat(4000)} you shit`).some(({ id }) => id === 'term:shit')).toBe(true);
});

test('signs that use up the steps of a walk do not hide a word after them', () => {
  const junk = '@$!|1([{'.repeat(400);
  expect(find(`${junk} fuck`)).toHaveLength(1);
  // A text that goes on as people write is looked at closely again.
  expect(find(`${junk} ${'and some ordinary words after it '.repeat(60)} f**k`)).toHaveLength(1);
});
