/** Features of links, email addresses and handles: that there is one, its host as words, and the first word of its path. */
import { hashText, mix } from '../text/hashing.ts';
import type { ShapeCounts } from '../text/text-shape.ts';
import { unitClass, unitClasses } from '../text/unit-classes.ts';
import { type FeatureSet, views } from './feature-set.ts';
import { handleFamily, linkFamily } from './pseudo-families.ts';
import { noFamilies, type TokenSequence } from './token-sequence.ts';

const hostUnitsMax = 100;
const labelUnitsMax = 24;
/** Labels at the end of a host that are read. */
const labelsMax = 3;
/** Top-level domains that make a bare `name.com` a link, where `readme.md` is none. */
const topLevelDomains: ReadonlySet<number> = new Set(
  'com|net|org|ru|info|biz|xyz|top|online|site|shop|club|io|me|co|uk|vip|live|link|click|tk|ml|ga|cf|gq|gg|tv|be|ly|de|fr|es|it|pl|br|in|us|eu|ca|au|nl|se|store|app|dev|pro|win|bid|loan|space|website|fun|icu|ws|cc|to|gl|gd|ai|su|ua|by|kz|example|test'
    .split('|')
    .map(hashText),
);
/** Where a path leads on its host: `t.me/+…`, `…/joinchat/…`, `…/watch`. */
const pathWord = /[\p{L}]{1,16}(?![\p{L}\p{N}-])|\+|@/uy;
const { letter, digit } = unitClass;

export interface LinkFeatures {
  readonly begin: () => void;
  /** Whether a host name such as `name.com` begins at `start`; its first dot is at `dot`. */
  readonly isHostAt: (text: string, start: number, dot: number) => boolean;
  /** Adds the link that begins at `at`, its host at `hostStart`. @returns its end */
  readonly addLink: (text: string, at: number, hostStart: number, counts: ShapeCounts) => number;
  /** Adds the handle whose `@` is at `at`. @returns its end */
  readonly addHandle: (text: string, at: number, counts: ShapeCounts) => number;
}

export function createLinkFeatures(
  { add }: FeatureSet,
  { addToken, markFamily }: TokenSequence,
  familiesByHash: ReadonlyMap<number, readonly number[]>,
): LinkFeatures {
  /** Where the last row of names and dots ended. A row is read once, however many host names might begin in it. */
  let namesEnd = 0;

  function isHostAt(text: string, start: number, dot: number): boolean {
    if (dot >= namesEnd) namesEnd = endOfNames(text, dot);
    const end = Math.min(namesEnd, Math.max(dot, start + hostUnitsMax));
    const label = text.lastIndexOf('.', end - 1) + 1;
    return label > dot && topLevelDomains.has(hashText(text.slice(label, end)));
  }

  function addLink(text: string, at: number, hostStart: number, counts: ShapeCounts): number {
    let pathStart = hostStart;
    while (pathStart < text.length && isHostUnit(text.charCodeAt(pathStart))) pathStart++;
    const host = text.slice(hostStart, pathStart).replace(/[.-]+$/, '');
    let end = pathStart;
    while (end < text.length && text.charCodeAt(end) > 32 && text.charCodeAt(end) !== 41) end++;
    counts.links++;
    counts.linkUnits += end - at;
    const labels = host.split('.').slice(-labelsMax);
    add(mix(end - pathStart > 1 ? 11 : 12, 0x11a5), views.link);
    if (text.slice(pathStart, end).includes('?')) add(mix(13, 0x11a5), views.link);
    if (pathStart + 1 < end) addPath(text, pathStart + 1, labels);
    addHost(labels);
    addToken(mix(0x11a9, 1), linkFamily);
    return end;
  }

  function addPath(text: string, start: number, labels: readonly string[]): void {
    pathWord.lastIndex = start;
    const found = pathWord.exec(text);
    add(mix(hashText(labels.slice(-2).join('.')), found ? hashText(found[0]) : 0x11aa), views.link);
    if (found) add(mix(hashText(found[0]), 0x11ab), views.link);
  }

  function addHost(labels: readonly string[]): void {
    add(mix(hashText(labels.at(-1) ?? ''), 0x11a6), views.link);
    for (const label of labels.slice(0, -1)) {
      const hash = hashText(label.slice(0, labelUnitsMax));
      add(mix(hash, 0x11a7), views.link);
      for (const family of familiesByHash.get(hash) ?? noFamilies) {
        markFamily(family);
        add(mix(family + 1, 0x11a8), views.link);
      }
    }
  }

  function addHandle(text: string, at: number, counts: ShapeCounts): number {
    let end = at + 1;
    while (end < text.length && (unitClasses[text.charCodeAt(end)]! > 0 || /[\w.-]/.test(text[end]!))) end++;
    counts.handles++;
    addToken(mix(0x11b1, 1), handleFamily);
    return end;
  }

  return {
    begin: () => {
      namesEnd = 0;
    },
    isHostAt,
    addLink,
    addHandle,
  };
}

/** Letter, digit, hyphen, full stop or colon. */
function isHostUnit(code: number): boolean {
  return unitClasses[code] === letter || unitClasses[code] === digit || code === 45 || code === 46 || code === 58;
}

/** Where letters, digits, hyphens and single full stops between them end. */
function endOfNames(text: string, start: number): number {
  let end = start;
  for (; end < text.length; end++) {
    const code = text.charCodeAt(end);
    if (code === 46) {
      const next = end + 1 < text.length ? unitClasses[text.charCodeAt(end + 1)]! : 0;
      if (next !== letter && next !== digit) break;
    } else if (unitClasses[code] !== letter && unitClasses[code] !== digit && code !== 45) break;
  }
  return end;
}
