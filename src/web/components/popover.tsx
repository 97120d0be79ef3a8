/** What opens beside a button: above everything else, closed by Escape or a click elsewhere. On narrow screens a sheet. */
import type { ComponentChildren, RefObject } from 'preact';
import { createPortal } from 'preact/compat';
import { useLayoutEffect, useRef, useState } from 'preact/hooks';

const marginPx = 8;
const narrow = matchMedia('(max-width: 44rem)');

export interface PopoverToggle {
  readonly open: boolean;
  readonly anchor: RefObject<HTMLButtonElement | null>;
  readonly close: () => void;
  /** For the button. */
  readonly handlers: { readonly onPointerDown: () => void; readonly onClick: () => void };
}

/** A button that opens a popover, and closes it when it is pressed again. */
export function usePopover(): PopoverToggle {
  const [open, setOpen] = useState(false);
  const anchor = useRef<HTMLButtonElement>(null);
  // The browser closes the popover before the click that would close it: the click must not open it again.
  const wasOpen = useRef(false);
  return {
    open,
    anchor,
    close: () => setOpen(false),
    handlers: {
      onPointerDown: () => {
        wasOpen.current = open;
      },
      onClick: () => {
        setOpen(!wasOpen.current);
        wasOpen.current = false;
      },
    },
  };
}

export function Popover({
  anchor,
  label,
  role = 'dialog',
  onClose,
  children,
}: {
  anchor: RefObject<HTMLElement | null>;
  label: string;
  role?: 'dialog' | 'menu';
  onClose: () => void;
  children: ComponentChildren;
}) {
  const box = useRef<HTMLDivElement>(null);
  const closed = useRef(onClose);
  closed.current = onClose;
  useLayoutEffect(() => {
    const element = box.current!;
    element.showPopover();
    place(element, anchor.current);
    const sizes = new ResizeObserver(() => place(element, anchor.current));
    sizes.observe(element);
    element.querySelector<HTMLElement>('[data-first-focus], button, input')?.focus();
    return () => sizes.disconnect();
  }, []);
  // Not inside the form or the message that it belongs to: what happens in it is none of theirs.
  return createPortal(
    // biome-ignore lint/a11y/useAriaPropsSupportedByRole: both roles support it
    <div
      ref={box}
      class="popover"
      popover="auto"
      role={role}
      aria-label={label}
      onToggle={(event) => event.newState === 'closed' && closed.current()}
    >
      {children}
    </div>,
    anchor.current?.closest('dialog, aside, main') ?? document.body,
  );
}

/** Below its anchor or above it, wherever there is more room. */
function place(box: HTMLElement, anchor: HTMLElement | null): void {
  // The stylesheet makes it a sheet.
  if (narrow.matches || !anchor) return;
  const at = anchor.getBoundingClientRect();
  const { width, height } = box.getBoundingClientRect();
  const below = at.bottom + marginPx;
  const fitsBelow = below + height <= innerHeight - marginPx;
  const top = fitsBelow ? below : Math.max(marginPx, at.top - height - marginPx);
  const isRightToLeft = getComputedStyle(box).direction === 'rtl';
  const left = isRightToLeft ? at.left : at.right - width;
  box.style.top = `${top}px`;
  box.style.left = `${Math.min(Math.max(marginPx, left), innerWidth - width - marginPx)}px`;
}

export interface MenuItem {
  readonly name: string;
  readonly danger?: boolean;
  readonly run: () => void;
}

/** A list of actions in a popover: arrow keys move, Enter chooses. */
export function Menu({
  items,
  anchor,
  label,
  onClose,
}: {
  items: readonly MenuItem[];
  anchor: RefObject<HTMLElement | null>;
  label: string;
  onClose: () => void;
}) {
  function move(event: KeyboardEvent): void {
    const buttons = [...(event.currentTarget as HTMLElement).querySelectorAll('button')];
    const now = buttons.indexOf(document.activeElement as HTMLButtonElement);
    const last = buttons.length - 1;
    const steps: Readonly<Record<string, number>> = { ArrowDown: now + 1, ArrowUp: now - 1, Home: 0, End: last };
    const next = steps[event.key];
    if (next === undefined) return;
    event.preventDefault();
    buttons[(next + buttons.length) % buttons.length]?.focus();
  }
  return (
    <Popover anchor={anchor} label={label} role="menu" onClose={onClose}>
      {/* biome-ignore lint/a11y/noStaticElementInteractions: keys move between the buttons in it */}
      <div class="menu" role="presentation" onKeyDown={move}>
        {items.map(({ name, danger, run }) => (
          <button
            type="button"
            role="menuitem"
            key={name}
            class={danger ? 'danger' : ''}
            onClick={() => {
              onClose();
              run();
            }}
          >
            {name}
          </button>
        ))}
      </div>
    </Popover>
  );
}
