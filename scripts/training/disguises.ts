/** How spam hides: ways to write a text so that people read it and filters do not. Parley's own, for training and tests. */
import { pick, type Random } from './random.ts';

export type Disguise = (text: string, random: Random) => string;

const lookalikes: Readonly<Record<string, string>> = {
  a: 'аɑα',
  b: 'Ьƅ',
  c: 'сϲ',
  d: 'ԁ',
  e: 'еҽ',
  g: 'ɡ',
  h: 'һ',
  i: 'іı',
  j: 'ј',
  k: 'κ',
  l: 'ӏ',
  m: 'м',
  n: 'ո',
  o: 'оοօ',
  p: 'рρ',
  q: 'ԛ',
  r: 'г',
  s: 'ѕ',
  t: 'т',
  u: 'υս',
  v: 'ν',
  w: 'ԝ',
  x: 'х',
  y: 'уү',
  z: 'ᴢ',
  A: 'АΑ',
  B: 'ВΒ',
  C: 'С',
  E: 'ЕΕ',
  H: 'НΗ',
  I: 'ІΙ',
  K: 'КΚ',
  M: 'МΜ',
  N: 'Ν',
  O: 'ОΟ',
  P: 'РΡ',
  S: 'Ѕ',
  T: 'ТΤ',
  X: 'ХΧ',
  Y: 'ΥҮ',
  Z: 'Ζ',
};
const leet: Readonly<Record<string, string>> = {
  a: '4@',
  e: '3',
  i: '1!',
  o: '0',
  s: '5$',
  t: '7',
  l: '1',
  b: '8',
  g: '9',
};
const unseen = ['\u200b', '\u200c', '\u200d', '\u2060', '\u00ad', '\ufeff'];
const styles = [0x1d400, 0x1d41a, 0x1d434, 0x1d4d0, 0x1d5a0, 0x1d5d4, 0x1d670] as const;

const each = (text: string, change: (sign: string) => string): string => [...text].map(change).join('');
/** Addresses stay: they must work. */
const outsideLinks = (text: string, change: (part: string) => string): string =>
  text
    .split(/(\S*(?:https?:|www\.|[a-z0-9]\.(?:com|net|org|ru|me|co))\S*)/i)
    .map((part, at) => (at % 2 === 0 ? change(part) : part))
    .join('');

export const disguises: Readonly<Record<string, Disguise>> = {
  homoglyph: (text, random) =>
    outsideLinks(text, (part) =>
      each(part, (sign) => (lookalikes[sign] && random() < 0.6 ? pick([...lookalikes[sign]], random) : sign)),
    ),
  leet: (text, random) =>
    outsideLinks(text, (part) =>
      each(part, (sign) => {
        const signs = leet[sign.toLowerCase()];
        return signs && random() < 0.8 ? signs[random() < 0.8 ? 0 : signs.length - 1]! : sign;
      }),
    ),
  zeroWidth: (text, random) => each(text, (sign) => (random() < 0.5 ? sign + pick(unseen, random) : sign)),
  spaced: (text, random) => {
    const wide = random() < 0.7 ? '   ' : ' ';
    return text
      .split(/\s+/)
      .map((word) => (/[/@]/.test(word) ? word : [...word].join(' ')))
      .join(wide);
  },
  dotted: (text, random) => {
    const sign = pick(['.', '-', '_', '*', '·'], random);
    return text
      .split(/\s+/)
      .map((word) => (/[/@]/.test(word) ? word : [...word].join(sign)))
      .join(' ');
  },
  styled: (text, random) => {
    const capitals = pick(
      styles.filter((_, at) => at !== 1),
      random,
    );
    return each(text, (sign) => {
      const code = sign.charCodeAt(0);
      if (code >= 65 && code <= 90) return String.fromCodePoint(capitals + code - 65);
      if (code >= 97 && code <= 122 && !(capitals === 0x1d434 && sign === 'h'))
        return String.fromCodePoint(capitals + 26 + code - 97);
      return sign;
    });
  },
};

/** Puts ordinary lines before or after, or both, until the text is `times` as long. */
export function pad(text: string, ordinary: readonly string[], times: number, random: Random): string {
  const before: string[] = [];
  const after: string[] = [];
  let added = 0;
  while (added < text.length * (times - 1)) {
    const line = pick(ordinary, random);
    added += line.length + 1;
    (random() < 0.5 ? before : after).push(line);
  }
  return [...before, text, ...after].join(' ');
}
