/** Calls back when the page may have slept or lost its network without being told: timers stood still, and connections may be dead. */

const windowEvents = ['online', 'focus', 'pageshow'];
/** `resume`: a frozen page goes on (Page Lifecycle). */
const documentEvents = ['visibilitychange', 'resume'];

/** @returns stops listening */
export function onWakeUp(listener: () => void): () => void {
  const wake = ({ type }: Event) => {
    // A hidden page gets no events on waking, but its network may return.
    if (type === 'online' || document.visibilityState === 'visible') listener();
  };
  for (const event of windowEvents) addEventListener(event, wake);
  for (const event of documentEvents) document.addEventListener(event, wake);
  return () => {
    for (const event of windowEvents) removeEventListener(event, wake);
    for (const event of documentEvents) document.removeEventListener(event, wake);
  };
}
