/**
 * Sends `presence` frames to watchers. Changes are gathered during a tick: a watcher gets one frame for each person whose presence
 * looks different from what it was told last, and none if it looks the same. A long list of watchers is served in slices.
 */
import { frameText } from '../socket/frame-codec.ts';
import type { Watch, WatchedPerson } from './watch-lists.ts';

export interface PresenceDelivery {
  /** The presence of the person may look different to their watchers. */
  readonly touch: (person: WatchedPerson) => void;
  readonly stop: () => void;
}

/** Watches that are compared in one tick. 2,000 take about 2 ms. */
const sliceMax = 2000;

export function createPresenceDelivery({
  textFor,
  sent,
}: {
  /** The `data` of the frame as JSON; undefined while it is not known, or the watch has not been answered yet. */
  textFor: (watch: Watch) => string | undefined;
  sent: { readonly inc: (by: number) => void };
}): PresenceDelivery {
  const touched = new Set<WatchedPerson>();
  let work: Iterator<Watch> | undefined;
  let scheduled: NodeJS.Immediate | undefined;

  function* watchesOfTouched(): Generator<Watch> {
    for (const person of touched) {
      // Removed first: a change while the person's watchers are served touches them again.
      touched.delete(person);
      yield* [...person.watches];
    }
  }

  function schedule(): void {
    scheduled ??= setImmediate(run);
  }

  function run(): void {
    scheduled = undefined;
    work ??= watchesOfTouched();
    /** Most watchers of a person get the same bytes. */
    const frames = new Map<string, Buffer>();
    let count = 0;
    for (let left = sliceMax; left > 0; left--) {
      const { value: watch, done } = work.next();
      if (done) {
        work = undefined;
        break;
      }
      if (deliver(watch, frames)) count += 1;
    }
    sent.inc(count);
    if (work || touched.size > 0) schedule();
  }

  function deliver(watch: Watch, frames: Map<string, Buffer>): boolean {
    if (watch.shown === undefined) return false;
    const data = textFor(watch);
    if (data === undefined || data === watch.shown) return false;
    const frame = frames.get(data) ?? frameText(`{"type":"presence","data":${data}}`);
    frames.set(data, frame);
    // A reader that is behind gets it with the next recheck.
    if (!watch.connection.pushEphemeral(frame)) return false;
    watch.shown = data;
    return true;
  }

  return {
    touch: (person) => {
      touched.add(person);
      schedule();
    },
    stop: () => {
      if (scheduled) clearImmediate(scheduled);
      touched.clear();
    },
  };
}
