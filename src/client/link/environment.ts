/** What the device tells of its network and its page, as far as this environment has them: a page, a worker, or neither. */

export interface EnvironmentListener {
  /** The device woke up, or its network changed: connections may be dead. */
  readonly onWake: () => void;
  /** Somebody looks at the page again, or does not any more. */
  readonly onVisible?: (isVisible: boolean) => void;
}

/** The page may have slept without being told of it. */
const windowEvents = ['online', 'offline', 'focus', 'pageshow'];
/** `resume`: a frozen page goes on (Page Lifecycle). */
const documentEvents = ['visibilitychange', 'resume'];

/** @returns stops listening */
export function watchEnvironment({ onWake, onVisible }: EnvironmentListener): () => void {
  const page = typeof document === 'undefined' ? undefined : document;
  const scope = typeof globalThis.addEventListener === 'function' ? globalThis : undefined;
  const wake = ({ type }: Event) => {
    if (type === 'visibilitychange') onVisible?.(page?.visibilityState === 'visible');
    const isNetwork = type === 'online' || type === 'offline';
    // A hidden page gets no events on waking, but its network may return.
    if (isNetwork || page?.visibilityState === 'visible') onWake();
  };
  for (const event of windowEvents) scope?.addEventListener(event, wake);
  for (const event of documentEvents) page?.addEventListener(event, wake);
  return () => {
    for (const event of windowEvents) scope?.removeEventListener(event, wake);
    for (const event of documentEvents) page?.removeEventListener(event, wake);
  };
}
