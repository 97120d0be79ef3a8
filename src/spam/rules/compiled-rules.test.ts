import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { TermLists } from '../terms/terms.ts';
import { createNormaliser, type Lookalikes } from '../text/normalise.ts';
import { createRuleBook, findRuleProblem, type Rule, type RuleKind } from './rules.ts';

const artefact = (name: string): unknown =>
  JSON.parse(readFileSync(new URL(`../../../data/moderation/artefacts/${name}`, import.meta.url), 'utf8'));
const tools = {
  normalise: createNormaliser(artefact('lookalikes.json') as Lookalikes),
  lists: artefact('terms.json') as TermLists,
};
const rule = (kind: RuleKind, pattern: string, rest: Partial<Rule> = {}): Rule => ({
  id: pattern,
  roomId: undefined,
  kind,
  pattern,
  action: 'block',
  ...rest,
});

/** What of a text each rule finds. */
function found(rules: readonly Rule[], text: string, roomId?: string): string[] {
  return (
    createRuleBook(rules, tools)
      .match(text, roomId)
      ?.labels.map(({ start, end, id }) => `${id.slice(5)} ${text.slice(start, end)}`) ?? []
  );
}

test.each([
  ['word', 'banana', 'a BANANA!', 'BANANA'],
  ['word', 'banana', 'b4n4n4', 'b4n4n4'],
  ['word', 'banana', 'b\u200banana', 'b\u200banana'],
  ['word', 'слово', 'Слово.', 'Слово'],
  ['word', '💩', 'ha 💩', '💩'],
  ['phrase', 'buy my course', 'Buy, my COURSE now', 'Buy, my COURSE'],
  ['regex', 'order\\s+#\\d{4}', 'my Order #1234', 'Order #1234'],
  ['regex', 'banana', 'b\u200ba\u200bnana', 'b\u200ba\u200bnana'],
  ['link', 'bad.example', 'see BAD。example, now', 'BAD。example'],
  ['link', 'bad.example', '请看https://bad.example/a 谢谢', 'https://bad.example/a'],
  ['link', 'bad.example', 'https://bad.example谢谢', 'https://bad.example谢谢'],
  ['link', 'bad.example', '看www.bad.example:80谢谢', 'www.bad.example:80谢谢'],
  ['link', 'bad.example', 'смотриhttps://bad.example🎉', 'https://bad.example'],
  ['link', 'bad.example', '[x](http://a.bad%2eexample/1)', 'http://a.bad%2eexample/1'],
  ['link', 'https://ok.example/promo', 'ok.example/promo/1', 'ok.example/promo/1'],
] as const)('a %s %s finds in %j the span %j', (kind, pattern, text, span) => {
  expect(found([rule(kind, pattern)], text)).toEqual([`${pattern} ${span}`]);
});

test.each([
  ['word', 'cat', 'concatenate the catalogue'],
  ['phrase', 'buy my course', 'buy course'],
  ['link', 'ok.example/promo', 'ok.example/promotion'],
  ['link', 'bad.example', 'mail me: a@bad.example'],
  ['link', 'bad.example', 'notbad.example'],
] as const)('a %s %s finds nothing in %j', (kind, pattern, text) => {
  expect(found([rule(kind, pattern)], text)).toEqual([]);
});

test('a room’s rules apply to that room, the deployment’s to all, and the graver action wins', () => {
  const rules = [rule('word', 'alpha', { roomId: 'a', action: 'flag' }), rule('word', 'omega')];
  const book = createRuleBook(rules, tools);
  expect(book.match('alpha', 'b')).toBeUndefined();
  expect(book.match('alpha', 'a')?.action).toBe('flag');
  expect(book.match('alpha omega', 'a')?.action).toBe('block');
  expect(book.match('omega', undefined)?.action).toBe('block');
});

test.each(['^(a+)+$', '(a|aa|b|[a-z]+){1,40}x', '(?:x+x+)+y', '([a-z]{1,20} ?){1,11}z'])(
  'the expression %s is decided within an item’s time on 8,000 hostile characters',
  (pattern) => {
    const book = createRuleBook([rule('regex', pattern)], tools);
    const startedMs = performance.now();
    for (const text of [`${'a'.repeat(7999)}!`, 'ab'.repeat(4000), 'x'.repeat(8000), 'a b '.repeat(2000)])
      book.match(text, undefined);
    // A backtracking engine takes years: this is no measurement.
    expect(performance.now() - startedMs).toBeLessThan(10_000);
  },
);

test.each([
  ['regex', '(?=a)', /look-around/],
  ['regex', '(a)\\1', /back-references/],
  ['regex', 'a*', /every message/],
  ['regex', 'a{1000}', /too large/],
  ['word', 'two words', /phrase/],
  ['link', 'localhost', /host/],
  ['link', 'javascript:alert(1)', /host/],
] as const)('a %s %s is refused with the reason', (kind, pattern, reason) => {
  expect(findRuleProblem({ kind, pattern })).toMatch(reason);
  expect(found([rule(kind, pattern)], 'aaa two words localhost')).toEqual([]);
});
