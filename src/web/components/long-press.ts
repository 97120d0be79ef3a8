/** A long press, which opens the actions on an element as in apps. */
import { useEffect, useMemo } from 'preact/hooks';

/** Android and iOS wait as long. */
const pressMs = 500;
/** A finger that moves further scrolls. */
const slackPx = 10;

type PointerHandler = (event: PointerEvent) => void;

export interface LongPressHandlers {
  readonly onPointerDown: PointerHandler;
  readonly onPointerMove: PointerHandler;
  readonly onPointerUp: () => void;
  readonly onPointerCancel: () => void;
  readonly onContextMenu: (event: MouseEvent) => void;
  readonly onTouchEnd: (event: TouchEvent) => void;
}

interface Press {
  readonly x: number;
  readonly y: number;
  timer: ReturnType<typeof setTimeout> | undefined;
  opened: boolean;
}

/**
 * @param open called once for each long press; never by a mouse
 * @param options.onButtons the element is a button itself
 * @returns handlers for the element that is pressed
 */
export function useLongPress(open: () => void, { onButtons = false } = {}): LongPressHandlers {
  const state = useMemo(() => ({ open, press: undefined as Press | undefined }), []);
  state.open = open;
  useEffect(() => () => clearTimeout(state.press?.timer), [state]);

  return useMemo(() => {
    function openOnce(press: Press): void {
      clearTimeout(press.timer);
      if (press.opened) return;
      press.opened = true;
      state.open();
    }

    function release(): void {
      clearTimeout(state.press?.timer);
    }

    return {
      onPointerDown: ({ pointerType, isPrimary, clientX, clientY, target }) => {
        release();
        state.press = undefined;
        // A second finger zooms. Links keep the browser's own menu.
        if (pointerType === 'mouse' || !isPrimary || !(onButtons || mayOpenOn(target))) return;
        const press: Press = { x: clientX, y: clientY, timer: undefined, opened: false };
        press.timer = setTimeout(() => openOnce(press), pressMs);
        state.press = press;
      },
      onPointerMove: ({ clientX, clientY }) => {
        const { press } = state;
        if (press && Math.hypot(clientX - press.x, clientY - press.y) > slackPx) release();
      },
      onPointerUp: release,
      // The browser scrolls by this finger from now on.
      onPointerCancel: release,
      onContextMenu: (event) => {
        // Some browsers report the long press and would open their own menu.
        if (!state.press) return;
        event.preventDefault();
        openOnce(state.press);
      },
      onTouchEnd: (event) => {
        // Otherwise lifting the finger could click what has opened under it.
        if (state.press?.opened) event.preventDefault();
      },
    };
  }, [state]);
}

function mayOpenOn(target: EventTarget | null): boolean {
  return target instanceof Element && target.closest('a, button, input, textarea, select, label, dialog') === null;
}
