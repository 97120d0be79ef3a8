import { expect, test } from 'vitest';
import { withLineBreaks } from './line-breaks.ts';

test.each([
  ['one line', '<p>one</p>\n', '<p>one</p>\n'],
  ['a paragraph', '<p>one\ntwo\nthree</p>\n', '<p>one<br>\ntwo<br>\nthree</p>\n'],
  [
    'a list item',
    '<ul>\n<li>one\ntwo</li>\n<li>three</li>\n</ul>\n',
    '<ul>\n<li>one<br>\ntwo</li>\n<li>three</li>\n</ul>\n',
  ],
  [
    'a list item with a list in it',
    '<ol>\n<li>one\ntwo\n<ul>\n<li>a\nb</li>\n</ul>\n</li>\n</ol>\n',
    '<ol>\n<li>one<br>\ntwo\n<ul>\n<li>a<br>\nb</li>\n</ul>\n</li>\n</ol>\n',
  ],
  [
    'a list item of paragraphs',
    '<ul>\n<li>\n<p>one\ntwo</p>\n<p>three</p>\n</li>\n</ul>\n',
    '<ul>\n<li>\n<p>one<br>\ntwo</p>\n<p>three</p>\n</li>\n</ul>\n',
  ],
  [
    'marks beside the break',
    '<p><em>one</em>\n<a href="https://a.example/?a&gt;b">two</a>\n<code>x</code></p>\n',
    '<p><em>one</em><br>\n<a href="https://a.example/?a&gt;b">two</a><br>\n<code>x</code></p>\n',
  ],
  ['a break that was one already', '<p>one<br />\ntwo\nthree</p>\n', '<p>one<br />\ntwo<br>\nthree</p>\n'],
  ['code', '<pre><code>a\n\nb\n</code></pre>\n<p>c\nd</p>\n', '<pre><code>a\n\nb\n</code></pre>\n<p>c<br>\nd</p>\n'],
  ['a quote', '<blockquote>\n<p>one\ntwo</p>\n</blockquote>\n', '<blockquote>\n<p>one<br>\ntwo</p>\n</blockquote>\n'],
  ['shown markup', '&lt;div&gt;\n*a*\n&lt;/div&gt;\n', '&lt;div&gt;<br>\n*a*<br>\n&lt;/div&gt;\n'],
  [
    'a table',
    '<table>\n<thead>\n<tr>\n<th>a</th>\n</tr>\n</thead>\n</table>\n',
    '<table>\n<thead>\n<tr>\n<th>a</th>\n</tr>\n</thead>\n</table>\n',
  ],
  [
    'a task',
    '<ul>\n<li><input type="checkbox" disabled="" /> a\nb</li>\n</ul>\n',
    '<ul>\n<li><input type="checkbox" disabled="" /> a<br>\nb</li>\n</ul>\n',
  ],
  ['nothing', '', ''],
])('%s keeps its lines', (_, html, shown) => {
  expect(withLineBreaks(html)).toBe(shown);
});
