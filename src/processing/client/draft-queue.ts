/**
 * The queue of drafts that wait until a judge has room. A draft is refused on arrival if its expected wait is longer than the
 * bound, and later if its wait turns out longer. It is never refused after a judge was asked.
 */
import { Failure } from '../../errors.ts';

/** The draft was refused before a judge was asked. */
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
  /** Takes the oldest drafts: at most `countMax`, and none after `weightMax` is reached. */
  readonly take: (bounds: { readonly countMax: number; readonly weightMax: number }) => Draft[];
  /** Takes all drafts. */
  readonly clear: () => Draft[];
}

/** Shortest time after which a retry is suggested. */
const retryMinMs = 250;
/** Taken drafts are removed from the list this many at a time, because each removal copies the list. */
const cutAt = 1024;

/**
 * @param perMs drafts per millisecond that all judges together can handle; 0 while there is no judge
 * @param onExpired called with drafts that waited too long
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
    // Without a judge, the drafts are taken at once and refused.
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
    // Never negative, even if the loop was busy: Node warns of negative times.
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
