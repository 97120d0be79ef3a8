/**
 * What a text that names people says of them, as far as the order of classes tells: whether something hostile is
 * near the group, denied, quoted, said of those who say it, or objected to. Pure; linear in the number of tokens.
 */
import { type ToneToken, termNames } from './toxicity-words.ts';

export interface Stance {
  /**
   * `harmless`: it speaks of a group of people and says nothing hostile, denies it, or quotes it to object: the model has no
   * opinion. `aimed`: something hostile stands beside a group of people, and nothing that takes it back. `none`: no group, or
   * the model is to weigh it.
   */
  readonly stance: 'harmless' | 'aimed' | 'none';
  /** Features for the model, small numbers. */
  readonly signs: readonly number[];
}

/** Where the signs of texts begin that speak of a person and of no group. */
const personSigns = 131_072;
const nothing: Stance = { stance: 'none', signs: [] };
/** Classes that are hostile by themselves. */
const hostileClasses: ReadonlySet<string> = new Set([
  'hates',
  'harms',
  'shun',
  'vile',
  'vermin',
  'violent',
  'exclude',
  'insult',
  'dying',
  'crude',
]);
/** Where something hostile stands to those whom the text names. */
const places = { none: 0, before: 1, after: 2, ofThem: 3, predicate: 4, attribute: 5 } as const;
const attributeMax = 4;
/** Denials that begin a question, and those that do so only where a question mark ends it. */
const asking: ReadonlySet<string> = new Set(
  'isnt arent wasnt werent cant wont shouldnt wouldnt couldnt havent hasnt'.split(' '),
);
const perhapsAsking: ReadonlySet<string> = new Set(['dont', 'doesnt', 'didnt']);
const linking: ReadonlySet<string> = new Set('is are was were am be being been like as should must'.split(' '));
/** `i hate that …`, `it when …`: no people. */
const hatesWhat: ReadonlySet<string> = new Set('that it when how what to'.split(' '));
/** What no quotation is answered with. */
const graveClasses: ReadonlySet<string> = new Set(['violent', 'exclude', 'dying']);
/** Tokens between a group and what is said of it. */
const besideMax = 6;
/** Tokens between a denial and what is denied, or withheld. */
const denialMax = 4;
const withheldMax = 6;
const beliefMax = 9;
/** Words beside a quotation that are enough to be about it. */
const aboutMin = 3;

/** @param names classes by kind */
export function createStanceReader(names: readonly string[]): (tokens: readonly ToneToken[]) => Stance {
  const kindNamed = (name: string): number => names.indexOf(name);
  const group = kindNamed('group');
  const negation = kindNamed('negation');
  const counter = kindNamed('counter');
  const report = kindNamed('report');
  const assent = kindNamed('assent');
  const denied = kindNamed('denied');
  const positive = kindNamed('positive');
  const they = kindNamed('they');
  const people = kindNamed('people');
  const hates = kindNamed('hates');
  const dying = kindNamed('dying');
  const harms = kindNamed('harms');
  const shun = kindNamed('shun');
  const vermin = kindNamed('vermin');
  const vile = kindNamed('vile');
  const isHostile = names.map((name) => hostileClasses.has(name) || termNames.has(name));
  const isGrave = names.map((name) => graveClasses.has(name));
  // Crude words and listed ones say nothing of a group by standing beside it.
  const isLoud = names.map((name) => termNames.has(name) || name === 'crude');

  const isGroup = names.map((_, kind) => kind === group);
  const isPerson = names.map((name) => name === 'you' || name === 'person');
  const isThey = names.map((_, kind) => kind === they);

  /** A word of some kinds in the same clause, before or after. */
  function isNear(
    tokens: readonly ToneToken[],
    at: number,
    isKind: readonly boolean[],
    step: -1 | 1,
    most: number,
  ): boolean {
    const { clause } = tokens[at]!;
    for (let away = 1; away <= most; away++) {
      const token = tokens[at + away * step];
      if (!token || token.clause !== clause) return false;
      if (token.kind >= 0 && isKind[token.kind]) return true;
    }
    return false;
  }

  /** A denial before it, in the same clause; one that asks for consent denies nothing. */
  function isDeniedAt(tokens: readonly ToneToken[], at: number, most: number): boolean {
    const { clause } = tokens[at]!;
    for (let back = at - 1; back >= Math.max(0, at - beliefMax) && tokens[back]!.clause === clause; back--) {
      const { kind, text } = tokens[back]!;
      if (kind !== negation) continue;
      // `i do not think that …` denies all that is thought.
      const isBelief = tokens[back + 1]?.kind === report || tokens[back + 2]?.kind === report;
      if (at - back > (isBelief ? beliefMax : most)) return false;
      const isFirst = back === 0 || tokens[back - 1]!.clause !== clause;
      if (!isFirst || !(asking.has(text) || perhapsAsking.has(text))) return true;
      if (perhapsAsking.has(text) && !isQuestion(tokens, back)) return true;
    }
    return false;
  }

  /** `women are …`, `women, like …`: said of the group, not only near it. */
  function isLinked(tokens: readonly ToneToken[], at: number, isTarget: readonly boolean[]): boolean {
    for (let back = at - 1; back >= Math.max(0, at - besideMax) && !isTarget[tokens[back]!.kind]; back--)
      if (linking.has(tokens[back]!.text)) return true;
    return false;
  }

  /** Who says so is who writes it: `i think`; or the group itself is the subject: `women who`. */
  function isOwnWord(tokens: readonly ToneToken[], at: number): boolean {
    const last = tokens[at - 1];
    if (!last) return false;
    if (tokens[at]!.text === 'who' && (last.kind === group || tokens[at - 2]?.kind === group)) return true;
    return [last.text, tokens[at - 2]?.text, tokens[at - 3]?.text].some(isSelf);
  }

  /**
   * Beside a group, yet not said of it: `the women with the dog` names an animal, `they are sick of it` whose feeling it is.
   * The model sees it, but it is nothing hostile.
   */
  function isBystander(tokens: readonly ToneToken[], at: number, place: number): boolean {
    const { kind } = tokens[at]!;
    const next = tokens[at + 1];
    if (kind === hates) return place === places.predicate || next?.kind === people || hatesWhat.has(next?.text ?? '');
    // `until i die`
    if (kind === dying) return isSelf(tokens[at - 1]?.text);
    // Who harms is named before it, who is shunned behind it.
    if (kind === harms) return place === places.after || place === places.attribute;
    if (kind === shun) return place === places.before || place === places.predicate;
    if (kind !== vermin && kind !== vile) return false;
    if (place === places.before) return tokens[at - 1]!.kind !== group;
    return kind === vermin && place === places.after && !isAttribute(tokens, at);
  }

  /** `lying cheating women`, `scum of refugees`: nothing but such words and names of people up to the group. */
  function isAttribute(tokens: readonly ToneToken[], at: number): boolean {
    for (let next = at + 1; next <= at + attributeMax && next < tokens.length; next++) {
      const { kind, text } = tokens[next]!;
      if (kind === group) return true;
      if (!isHostile[kind] && kind !== people && text !== 'of' && text !== 'like' && text !== 'than') return false;
    }
    return false;
  }

  return (tokens) => {
    let groups = 0;
    let persons = 0;
    let groupsOutside = 0;
    let outside = 0;
    let objections = 0;
    let reports = 0;
    let assents = 0;
    for (const { kind, isQuoted, text } of tokens) {
      if (kind === group) groups += 1;
      else if (kind >= 0 && isPerson[kind]) persons += 1;
      if (isQuoted || text === '"') continue;
      outside += 1;
      if (kind === group) groupsOutside += 1;
      else if (kind === counter) objections += 1;
      else if (kind === report) reports += 1;
      else if (kind === assent) assents += 1;
    }
    if (groups + persons === 0) return nothing;
    // What is said of a person is weighed in the same way, but never without the model.
    const isTarget = groups > 0 ? isGroup : isPerson;
    const first = groups > 0 ? 0 : personSigns;

    const signs: number[] = [];
    let open = 0;
    let grave = 0;
    let loud = 0;
    let quoted = 0;
    let beside = 0;
    let kindWords = 0;
    let reported = 0;
    let reportClause = -1;
    let reportReach = 0;
    let lastTarget = -1;
    for (const [at, { kind, clause, isQuoted: isBetweenMarks }] of tokens.entries()) {
      // Who agrees with a quotation says so too.
      const isQuoted = isBetweenMarks && assents === 0;
      if (kind === report && !isQuoted && !isOwnWord(tokens, at)) {
        reportClause = clause;
        // `nobody says it: …` reports nothing of what follows.
        reportReach = isDeniedAt(tokens, at, denialMax) ? 0 : 1;
      }
      if (kind < 0) continue;
      if (isTarget[kind]) lastTarget = at;
      const isGood = kind === denied || kind === positive;
      const isDenied = isDeniedAt(tokens, at, isGood ? withheldMax : denialMax);
      const isWithheld = isDenied && isGood;
      if (kind === positive && !isDenied) kindWords += 1;
      if (!isHostile[kind] && !isWithheld) continue;
      // As one class: what is withheld from people.
      const seen = isWithheld ? names.length : kind;
      const isTakenBack = isDenied && !isWithheld;
      const isReported = !isQuoted && reportClause >= 0 && clause - reportClause <= reportReach;
      const before = isNear(tokens, at, isTarget, -1, besideMax);
      const after = isNear(tokens, at, isTarget, 1, besideMax);
      const isOfThem =
        lastTarget >= 0 &&
        (isNear(tokens, at, isThey, -1, besideMax) || isNear(tokens, at, isThey, 1, besideMax)) &&
        clause - tokens[lastTarget]!.clause <= 2;
      const place = before
        ? isLinked(tokens, at, isTarget)
          ? places.predicate
          : places.before
        : after
          ? isTarget[tokens[at + 1]?.kind ?? -1]
            ? places.attribute
            : places.after
          : isOfThem
            ? places.ofThem
            : places.none;
      const manner =
        (isTakenBack ? 1 : 0) |
        (isQuoted ? 2 : 0) |
        (isReported ? 4 : 0) |
        (objections > 0 ? 8 : 0) |
        (kindWords > 0 ? 16 : 0);
      signs.push(
        first + 1 + manner * 8 + place,
        first + 256 + (manner * 8 + place) * 64 + seen,
        first + 32_768 + ((manner & 7) * 8 + place) * 64 + seen,
      );
      if (isLoud[kind]) loud += 1;
      if (groups > 0 && isBystander(tokens, at, place)) continue;
      if (isTakenBack) {
        kindWords += 1;
        continue;
      }
      if (isQuoted) quoted += 1;
      else {
        open += 1;
        if (isGrave[kind]) grave += 1;
        if (isReported) reported += 1;
        if (place !== places.none && !isLoud[kind] && !isReported) beside += 1;
      }
    }
    // What is hostile around a quotation is said of whoever said it, unless the group is named there too.
    const isAbout = groupsOutside === 0 ? outside >= aboutMin && grave === 0 : open === 0 && objections + reports > 0;
    const isQuotation = quoted > 0 && isAbout && assents === 0;
    signs.push(
      first +
        65_536 +
        Math.min(open, 2) +
        (quoted > 0 ? 4 : 0) +
        (objections > 0 ? 8 : 0) +
        (reported > 0 ? 16 : 0) +
        (kindWords > 0 ? 32 : 0) +
        (beside > 0 ? 64 : 0),
    );
    if (groups === 0) return { stance: 'none', signs };
    if (loud === 0 && ((open === 0 && quoted === 0) || isQuotation)) return { stance: 'harmless', signs };
    return { stance: beside > 0 && objections === 0 && kindWords === 0 ? 'aimed' : 'none', signs };
  };
}

function isSelf(text: string | undefined): boolean {
  return text === 'i' || text === 'we';
}

function isQuestion(tokens: readonly ToneToken[], at: number): boolean {
  const { clause } = tokens[at]!;
  for (let next = at; next < tokens.length && tokens[next]!.clause === clause; next++)
    if (tokens[next]!.text === '?') return true;
  return false;
}
