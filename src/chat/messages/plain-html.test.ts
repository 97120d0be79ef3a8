import { expect, test } from 'vitest';
import { plainHtml } from './plain-html.ts';

test('plain HTML escapes markup and keeps every kind of line break', () => {
  expect(plainHtml('<b>"a" & b</b>\r\nc\rd\ne')).toBe(
    '<p>&lt;b&gt;&quot;a&quot; &amp; b&lt;/b&gt;<br>\nc<br>\nd<br>\ne</p>\n',
  );
});
