/** Why something was refused. It scrolls itself into view, since it may appear outside of it. */
import { useLayoutEffect, useRef } from 'preact/hooks';

/** @param words empty: nothing was refused, and nothing is shown */
export function Refusal({ words }: { words: string }) {
  const element = useRef<HTMLParagraphElement>(null);
  useLayoutEffect(() => element.current?.scrollIntoView({ block: 'nearest' }), [words]);
  if (words === '') return null;
  return (
    <p class="problem" role="alert" ref={element}>
      {words}
    </p>
  );
}
