/**
 * Drafts that wait until a judge has room for them. A draft is refused on arrival if its wait is expected to be longer than the
 * bound, and later if it turns out to be: never after it was judged.
 */
import { Failure } from '../../errors.ts';

/** The draft was refused before any judge was asked about it. */
export class QueueFull extends Failure {
  constructor(retryAfterMs: number) {
    super('unavailable', 'too many messages wait to be judged', { retryAfterMs });
  }
}

export interface QueuedDraft {
  /** By `performance.now()`. */
  readonly startedMs: number;
  readonly weight: number;
}

export interface DraftQueueSettings {
  readonly queueMax: number;
  /** Longest wait, milliseconds. */
  readonly waitMaxMs: number;
}

export interface DraftQueue<Draft extends QueuedDraft> {
  readonly length: () => number;
  /** @throws QueueFull with the time after which there should be room */
  readonly add: (draft: Draft) => void;
  /** The oldest drafts, at most so many, and no more after the weight is reached. */
  readonly take: (bounds: { readonly countMax: number; readonly weightMax: number }) => Draft[];
  /** Everything that waits. */
  readonly clear: () => Draft[];
}

/** Nobody is asked to come back sooner than this. */
const retryMinMs = 250;
/** Taken drafts are cut off the list in large pieces. */
const cutAt = 1024;

/**
 * @param perMs drafts per millisecond that all judges together bear; 0 while there is none
 * @param onExpired told of drafts that waited for too long
 */
export function createDraftQueue<Draft extends QueuedDraft>(
  settings: DraftQueueSettings,
  perMs: () => number,
  onExpired: (drafts: readonly Draft[], failure: QueueFull) => void,
): DraftQueue<Draft> {
  let list: Draft[] = [];
  let first = 0;
  let timer: NodeJS.Timeout | undefined;

  const length = () => list.length - first;

  function expectedWaitMs(): number {
    const rate = perMs();
    // Without a judge drafts are refused at once by whoever takes them.
    return rate > 0 ? length() / rate : 0;
  }

  function tooMany(): QueueFull {
    return new QueueFull(Math.max(retryMinMs, Math.ceil(expectedWaitMs())));
  }

  function expire(): void {
    timer = undefined;
    const beforeMs = performance.now() - settings.waitMaxMs;
    const late: Draft[] = [];
    while (first < list.length && list[first]!.startedMs <= beforeMs) late.push(list[first++]!);
    if (late.length > 0) onExpired(late, tooMany());
    watch();
  }

  function watch(): void {
    if (timer !== undefined || first >= list.length) return;
    // A busy loop may come here late: Node warns of a negative time.
    const leftMs = Math.max(0, list[first]!.startedMs + settings.waitMaxMs - performance.now());
    timer = setTimeout(expire, leftMs);
  }

  function take({ countMax, weightMax }: { countMax: number; weightMax: number }): Draft[] {
    const taken: Draft[] = [];
    for (let weight = 0; first < list.length && taken.length < countMax && weight < weightMax; first++) {
      weight += list[first]!.weight;
      taken.push(list[first]!);
    }
    if (first >= cutAt || first === list.length) {
      list = list.slice(first);
      first = 0;
    }
    if (list.length === 0) {
      clearTimeout(timer);
      timer = undefined;
    }
    return taken;
  }

  return {
    length,
    add: (draft) => {
      if (length() >= settings.queueMax || expectedWaitMs() > settings.waitMaxMs) throw tooMany();
      list.push(draft);
      watch();
    },
    take,
    clear: () => take({ countMax: Number.POSITIVE_INFINITY, weightMax: Number.POSITIVE_INFINITY }),
  };
}
