/** The browser's own dialog: it holds the focus, and Escape closes it. */
import type { ComponentChildren } from 'preact';
import { useEffect, useId, useRef } from 'preact/hooks';

const looks = { normal: '', wide: 'wide', sheet: 'sheet', question: 'question' } as const;

export function Dialog({
  title,
  onClose,
  look = 'normal',
  children,
}: {
  /** Names in it as `<bdi>`. */
  title: ComponentChildren;
  /** `sheet`: at the lower edge of the screen, where a thumb reaches it. */
  look?: keyof typeof looks;
  onClose: () => void;
  children: ComponentChildren;
}) {
  const element = useRef<HTMLDialogElement>(null);
  const titleId = useId();
  const removed = useRef(false);
  useEffect(() => {
    const dialog = element.current!;
    removed.current = false;
    dialog.showModal();
    dialog.querySelector<HTMLElement>('[data-first-focus]')?.focus();
    return () => {
      // The browser gives the focus back to where it was only on `close()`, not when the element is removed.
      removed.current = true;
      dialog.close();
    };
  }, []);
  return (
    <dialog ref={element} class={looks[look]} onClose={() => removed.current || onClose()} aria-labelledby={titleId}>
      <header class="dialog-head">
        <h2 id={titleId}>{title}</h2>
        <button type="button" class="link" onClick={() => element.current?.close()} aria-label="Close">
          ✕
        </button>
      </header>
      {children}
    </dialog>
  );
}
