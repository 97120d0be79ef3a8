import { expect, test } from 'vitest';
import { render } from '../../transform/render.ts';
import { hasWebLinks, webLinks } from './message-links.ts';

const linksOf = (text: string, max = 3) =>
  webLinks(render(text).html, { max, ownOrigin: 'https://chat.example' }).map(({ url }) => url);

test('the web links of a rendered message are found in order, each page once', () => {
  const text = 'see https://a.example/x?a=1&b=2 and [b](http://b.example "title") and https://a.example/x?a=1&b=2#part';
  expect(linksOf(text)).toEqual(['https://a.example/x?a=1&b=2', 'http://b.example']);
  expect(linksOf('https://1.example https://2.example https://3.example https://4.example')).toHaveLength(3);
});

test('mails, code, relative links and links to Parley itself have no preview', () => {
  expect(linksOf('ana@example.org `https://a.example` [x](/rooms/1) https://chat.example/rooms/1')).toEqual([]);
  expect(hasWebLinks(render('ana@example.org `https://a.example` [x](/rooms/1)').html)).toBe(false);
  expect(hasWebLinks(render('HTTPS://A.EXAMPLE').html)).toBe(true);
});
