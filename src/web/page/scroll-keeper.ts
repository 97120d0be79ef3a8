/**
 * Keeps the messages that are being read in place, in a list that grows at both ends.
 *
 * States: following (the newest end is in view, and stays in view whatever is added) and reading (the first message in
 * view stays where it is, whatever is added, removed or grows around it). Scrolling to the end begins to follow;
 * scrolling up ends it. The browser's own scroll anchoring must be off (`overflow-anchor: none`), or each change would be
 * compensated twice.
 */

/** Within this distance of the end the newest message is in view: less than a line. */
const endSlackPx = 16;

export interface ScrollKeeper {
  /** To be called after every change of the content, before the browser paints. */
  readonly settle: () => void;
  readonly toEnd: () => void;
  /** Puts an element at a share of the visible height below the upper edge, as far as the list reaches. */
  readonly showAt: (element: Element, share: number) => void;
  /** Whether the newest message is in view. */
  readonly atEnd: () => boolean;
  readonly stop: () => void;
}

/**
 * @param scroller the element that scrolls
 * @param content its content; messages are `article` elements, in the order of their position
 * @param onMove called after the position or the state has changed
 */
export function createScrollKeeper({
  scroller,
  content,
  onMove,
}: {
  scroller: HTMLElement;
  content: HTMLElement;
  onMove: () => void;
}): ScrollKeeper {
  const articles = content.getElementsByTagName('article');
  let following = true;
  let anchor: { element: Element; offset: number } | undefined;
  let lastTop = scroller.scrollTop;

  const offsetOf = (element: Element) => element.getBoundingClientRect().top - scroller.getBoundingClientRect().top;
  const distanceToEnd = () => scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight;

  /** The first message that reaches into view, by bisection. */
  function findAnchor(): Element | undefined {
    const edge = scroller.getBoundingClientRect().top;
    let [from, to] = [0, articles.length];
    while (from < to) {
      const middle = (from + to) >> 1;
      if (articles[middle]!.getBoundingClientRect().bottom > edge) to = middle;
      else from = middle + 1;
    }
    return articles[from];
  }

  function remember(): void {
    lastTop = scroller.scrollTop;
    const element = findAnchor();
    anchor = element && { element, offset: offsetOf(element) };
  }

  /** How far the user has scrolled since the last time; negative: up. */
  function scrolledBy(): number {
    // A list that becomes shorter than the position moves the position to its end: nobody has scrolled.
    const topMax = scroller.scrollHeight - scroller.clientHeight;
    return lastTop > topMax ? 0 : scroller.scrollTop - lastTop;
  }

  function settle(): void {
    const moved = scrolledBy();
    // What the user scrolled is not compensated.
    if (anchor) anchor.offset -= moved;
    if (moved < 0) following = false;
    if (moved > 0) following ||= distanceToEnd() <= endSlackPx;
    if (following) scroller.scrollTop = scroller.scrollHeight;
    else if (anchor?.element.isConnected) {
      const shift = offsetOf(anchor.element) - anchor.offset;
      if (Math.abs(shift) >= 1) scroller.scrollTop += shift;
    }
    following ||= distanceToEnd() < 1;
    remember();
    onMove();
  }

  // Pictures, fonts and the keyboard of a phone change heights without a change of the content.
  const resizes = new ResizeObserver(settle);
  resizes.observe(scroller);
  resizes.observe(content);
  scroller.addEventListener('scroll', settle, { passive: true });

  return {
    settle,
    toEnd: () => {
      following = true;
      settle();
    },
    showAt: (element, share) => {
      scroller.scrollTop += offsetOf(element) - scroller.clientHeight * share;
      following = distanceToEnd() <= endSlackPx;
      remember();
      onMove();
    },
    atEnd: () => following || distanceToEnd() <= endSlackPx,
    stop: () => {
      resizes.disconnect();
      scroller.removeEventListener('scroll', settle);
    },
  };
}
