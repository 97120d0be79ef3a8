/**
 * The features of one text, filled while the text is read. Hashed features are distinct: a bucket counts once per text, at the
 * token where it was first seen, so repetition gains a spammer nothing. All buffers are reused by the next text.
 */
import { shapeNames } from '../text/text-shape.ts';

/** log2 of the size of the hashed space; the model holds one weight for each bucket. */
export const bucketBits = 20;
export const buckets = 1 << bucketBits;
const bucketMask = buckets - 1;
/** A slot holds a bucket and, in the bits above it, the number of a text. */
const textNumbers = 1 << (32 - bucketBits);
const featuresMax = 16_384;
const slotBits = 15;

/** Kinds of hashed features. Training leaves whole kinds out to see what they are worth. */
export const views = { word: 0, pair: 1, piece: 2, family: 3, link: 4 } as const;

/** UTF-16 units that are read in one go; the classifier splits longer texts. */
export const unitsMax = 4000;

/** What the classifier sees of a text. The next call of the extractor overwrites it: copy what must last. */
export interface Features {
  /** Distinct buckets: the first `count` values. */
  readonly hashed: Uint32Array;
  /** For each bucket the token at which it was first seen. */
  readonly tokenOf: Uint16Array;
  /** For each bucket its kind, one of `views`. */
  readonly viewOf: Uint8Array;
  /** For each token the offset in the folded text at which it begins, UTF-16. */
  readonly offsetOf: Int32Array;
  /** False if the text was changed before it was read (spelled-out words joined): the offsets are not those of the folded text. */
  hasOffsets: boolean;
  count: number;
  tokens: number;
  /** Values 0 to 1, in the order of `shapeNames`. */
  readonly shape: Float32Array;
  /** Share of letters, 0 to 1, in scripts that the model was trained on. Below a bound it has no opinion. */
  known: number;
  /** At least half of the letters are Han characters. */
  han: boolean;
}

export interface FeatureSet {
  readonly features: Features;
  /** Empties the set for the next text. */
  readonly begin: () => void;
  /** Adds the bucket of `hash`, unless this text has it already. */
  readonly add: (hash: number, view: number) => void;
  /** Tokens that end from now on begin at this offset. */
  readonly moveTo: (offset: number) => void;
  /** Closes the token in progress: features added later belong to the next one. */
  readonly endToken: () => void;
}

export function createFeatureSet(): FeatureSet {
  const features: Features = {
    hashed: new Uint32Array(featuresMax),
    tokenOf: new Uint16Array(featuresMax),
    viewOf: new Uint8Array(featuresMax),
    offsetOf: new Int32Array(unitsMax + 1),
    hasOffsets: true,
    count: 0,
    tokens: 0,
    shape: new Float32Array(shapeNames.length),
    known: 1,
    han: false,
  };
  // The buckets of this text, open addressing. Slots of earlier texts carry another text number and count as empty, so
  // nothing has to be cleared between texts.
  const slots = new Uint32Array(1 << slotBits);
  let textNumber = 0;
  let offset = 0;

  function begin(): void {
    if (++textNumber === textNumbers) {
      textNumber = 1;
      slots.fill(0);
    }
    features.count = 0;
    features.tokens = 0;
  }

  function add(hash: number, view: number): void {
    const bucket = hash >>> (32 - bucketBits);
    let slot = Math.imul(bucket, 0x9e3779b1) >>> (32 - slotBits);
    for (let seen = slots[slot]!; seen >>> bucketBits === textNumber; seen = slots[slot]!) {
      if ((seen & bucketMask) === bucket) return;
      slot = (slot + 1) & (slots.length - 1);
    }
    if (features.count >= featuresMax - 1) return;
    slots[slot] = (textNumber << bucketBits) | bucket;
    features.hashed[features.count] = bucket;
    features.tokenOf[features.count] = features.tokens;
    features.viewOf[features.count++] = view;
  }

  function endToken(): void {
    if (features.tokens < unitsMax) features.offsetOf[features.tokens] = offset;
    features.tokens++;
  }

  return {
    features,
    begin,
    add,
    moveTo: (next) => {
      offset = next;
    },
    endToken,
  };
}
