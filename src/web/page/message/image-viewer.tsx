/** Shows pictures on the whole screen: arrow keys move between them, a click or `+` and `-` zoom, Escape closes. */
import { useEffect, useRef, useState } from 'preact/hooks';
import type { Attachment } from '../../../client/parley-client.ts';
import { Icon } from '../../components/icon.tsx';

interface ImageViewerProps {
  readonly pictures: readonly Attachment[];
  readonly first: number;
  readonly toUrl: (url: string) => string;
  readonly onClose: () => void;
}

export function ImageViewer({ pictures, first, toUrl, onClose }: ImageViewerProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [index, setIndex] = useState(first);
  const [zoomed, setZoomed] = useState(false);
  const picture = pictures[index]!;
  useEffect(() => {
    dialog.current?.showModal();
    return () => dialog.current?.close();
  }, []);

  function move(by: number): void {
    setZoomed(false);
    setIndex((index + by + pictures.length) % pictures.length);
  }
  function press(event: KeyboardEvent): void {
    const forward = getComputedStyle(dialog.current!).direction === 'rtl' ? 'ArrowLeft' : 'ArrowRight';
    if (event.key === 'ArrowLeft' || event.key === 'ArrowRight') move(event.key === forward ? 1 : -1);
    else if (event.key === '+' || event.key === '-') setZoomed(event.key === '+');
  }

  return (
    <dialog ref={dialog} class="viewer" aria-label={`Picture ${picture.name}`} onClose={onClose} onKeyDown={press}>
      <header>
        <bdi class="viewer-name">{picture.name}</bdi>
        {pictures.length > 1 && (
          <span aria-live="polite">
            {index + 1} of {pictures.length}
          </span>
        )}
        <button type="button" onClick={() => setZoomed(!zoomed)} aria-pressed={zoomed}>
          {zoomed ? 'Fit' : 'Zoom'}
        </button>
        <a class="button" href={toUrl(picture.url)} download={picture.name} aria-label={`Download ${picture.name}`}>
          <Icon name="download" />
        </a>
        <button type="button" data-first-focus onClick={() => dialog.current?.close()} aria-label="Close">
          ✕
        </button>
      </header>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a zoomed picture scrolls, also by keyboard (WCAG 2.1.1) */}
      <div class={`viewer-stage ${zoomed ? 'zoomed' : ''}`} tabIndex={0}>
        <img key={picture.id} src={toUrl(picture.url)} alt={picture.name} />
      </div>
      {pictures.length > 1 && (
        <footer>
          <button type="button" onClick={() => move(-1)} aria-label="Previous picture">
            ‹
          </button>
          <button type="button" onClick={() => move(1)} aria-label="Next picture">
            ›
          </button>
        </footer>
      )}
    </dialog>
  );
}
