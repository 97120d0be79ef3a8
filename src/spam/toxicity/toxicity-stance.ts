/**
 * What a text that names people says of them, as far as the order of word classes tells: whether something hostile stands near
 * the group, and whether it is denied, quoted, reported or objected to. Pure; linear in the number of tokens.
 */
import { isBystander, isDeniedAt, isOwnWord, positionOf, positions } from './tone-context.ts';
import { type ToneKinds, toneKindsOf } from './tone-kinds.ts';
import type { ToneToken } from './tone-tokens.ts';

export interface Stance {
  /**
   * `harmless`: the text speaks of a group of people and says nothing hostile, denies it, or quotes it to object; the model has no
   * opinion. `aimed`: something hostile stands beside a group of people, and nothing takes it back. `none`: no group, or the
   * model decides.
   */
  readonly stance: 'harmless' | 'aimed' | 'none';
  /** Features for the model, as small numbers. */
  readonly signs: readonly number[];
}

const nothing: Stance = { stance: 'none', signs: [] };
/** Signs of texts that speak of a person and of no group are numbered from here on. */
const personSigns = 131_072;
/** Where each kind of sign begins. */
const mannerSigns = 1;
const classSigns = 256;
const plainClassSigns = 32_768;
const summarySigns = 65_536;
/** Tokens between a denial and a hostile word, and between a denial and a good thing that is withheld. */
const denialTokensMax = 4;
const withheldTokensMax = 6;
/** Words beside a quotation that are enough to be about it. */
const aboutTokensMin = 3;

/** What a text is about: counts over all of it. Outside means outside quotation marks. */
interface Overview {
  groups: number;
  persons: number;
  groupsOutside: number;
  outside: number;
  objections: number;
  reports: number;
  assents: number;
}

/** What was found hostile. `open` is neither quoted nor taken back. */
interface Tally {
  readonly signs: number[];
  open: number;
  grave: number;
  loud: number;
  quoted: number;
  /** Said of the people named. */
  beside: number;
  reported: number;
  /** Kind words, and hostile ones taken back. */
  kindWords: number;
}

/** @param names classes by kind */
export function createStanceReader(names: readonly string[]): (tokens: readonly ToneToken[]) => Stance {
  const kinds = toneKindsOf(names);
  return (tokens) => {
    const overview = overviewOf(kinds, tokens);
    if (overview.groups + overview.persons === 0) return nothing;
    const tally = tallyHostility(kinds, tokens, overview);
    tally.signs.push(summarySign(overview, tally));
    return { stance: stanceOf(overview, tally), signs: tally.signs };
  };
}

function overviewOf(kinds: ToneKinds, tokens: readonly ToneToken[]): Overview {
  const found: Overview = {
    groups: 0,
    persons: 0,
    groupsOutside: 0,
    outside: 0,
    objections: 0,
    reports: 0,
    assents: 0,
  };
  for (const { kind, isQuoted, text } of tokens) {
    if (kind === kinds.group) found.groups += 1;
    else if (kind >= 0 && kinds.isPerson[kind]) found.persons += 1;
    if (isQuoted || text === '"') continue;
    found.outside += 1;
    if (kind === kinds.group) found.groupsOutside += 1;
    else if (kind === kinds.counter) found.objections += 1;
    else if (kind === kinds.report) found.reports += 1;
    else if (kind === kinds.assent) found.assents += 1;
  }
  return found;
}

/** Hostile words about a person are weighed like those about a group, but only by the model. */
function firstSign({ groups }: Overview): number {
  return groups > 0 ? 0 : personSigns;
}

function tallyHostility(kinds: ToneKinds, tokens: readonly ToneToken[], overview: Overview): Tally {
  const tally: Tally = { signs: [], open: 0, grave: 0, loud: 0, quoted: 0, beside: 0, reported: 0, kindWords: 0 };
  const isTarget = overview.groups > 0 ? kinds.isGroup : kinds.isPerson;
  let reportClause = -1;
  let reportReach = 0;
  let lastTarget = -1;
  for (let at = 0; at < tokens.length; at++) {
    const { kind, clause, isQuoted: isBetweenMarks } = tokens[at]!;
    // A quotation that the writer agrees with is their own word.
    const isQuoted = isBetweenMarks && overview.assents === 0;
    if (kind === kinds.report && !isQuoted && !isOwnWord(kinds, tokens, at)) {
      reportClause = clause;
      // `nobody says it: …` reports nothing of what follows.
      reportReach = isDeniedAt(kinds, tokens, at, denialTokensMax) ? 0 : 1;
    }
    if (kind < 0) continue;
    if (isTarget[kind]) lastTarget = at;
    const isGood = kind === kinds.denied || kind === kinds.positive;
    const isDenied = isDeniedAt(kinds, tokens, at, isGood ? withheldTokensMax : denialTokensMax);
    if (kind === kinds.positive && !isDenied) tally.kindWords += 1;
    const isWithheld = isDenied && isGood;
    if (!kinds.isHostile[kind] && !isWithheld) continue;
    const position = positionOf(kinds, tokens, at, isTarget, lastTarget);
    const isTakenBack = isDenied && !isWithheld;
    const isReported = !isQuoted && reportClause >= 0 && clause - reportClause <= reportReach;
    const manner =
      (isTakenBack ? 1 : 0) |
      (isQuoted ? 2 : 0) |
      (isReported ? 4 : 0) |
      (overview.objections > 0 ? 8 : 0) |
      (tally.kindWords > 0 ? 16 : 0);
    // Good things that are withheld count as one class of their own.
    addSigns(tally.signs, firstSign(overview), manner * 8 + position, isWithheld ? kinds.count : kind);
    if (kinds.isLoud[kind]) tally.loud += 1;
    if (overview.groups > 0 && isBystander(kinds, tokens, at, position)) continue;
    if (isTakenBack) tally.kindWords += 1;
    else if (isQuoted) tally.quoted += 1;
    else addOpen(tally, kinds, kind, position, isReported);
  }
  return tally;
}

/** @param manner how it is said, times 8, and where it stands (`positions`) */
function addSigns(signs: number[], first: number, manner: number, kind: number): void {
  signs.push(
    first + mannerSigns + manner,
    first + classSigns + manner * 64 + kind,
    first + plainClassSigns + (manner & 63) * 64 + kind,
  );
}

function addOpen(tally: Tally, kinds: ToneKinds, kind: number, position: number, isReported: boolean): void {
  tally.open += 1;
  if (kinds.isGrave[kind]) tally.grave += 1;
  if (isReported) tally.reported += 1;
  if (position !== positions.none && !kinds.isLoud[kind] && !isReported) tally.beside += 1;
}

function summarySign(overview: Overview, { open, quoted, reported, kindWords, beside }: Tally): number {
  return (
    firstSign(overview) +
    summarySigns +
    Math.min(open, 2) +
    (quoted > 0 ? 4 : 0) +
    (overview.objections > 0 ? 8 : 0) +
    (reported > 0 ? 16 : 0) +
    (kindWords > 0 ? 32 : 0) +
    (beside > 0 ? 64 : 0)
  );
}

function stanceOf(overview: Overview, { open, grave, loud, quoted, beside, kindWords }: Tally): Stance['stance'] {
  const { groups, groupsOutside, outside, objections, reports, assents } = overview;
  if (groups === 0) return 'none';
  // Hostile words around a quotation are said of its author, unless the group is named there too.
  const isAbout =
    groupsOutside === 0 ? outside >= aboutTokensMin && grave === 0 : open === 0 && objections + reports > 0;
  const isQuotation = quoted > 0 && isAbout && assents === 0;
  if (loud === 0 && ((open === 0 && quoted === 0) || isQuotation)) return 'harmless';
  return beside > 0 && objections === 0 && kindWords === 0 ? 'aimed' : 'none';
}
