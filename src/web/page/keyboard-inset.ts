/**
 * Keeps the composer above the on-screen keyboard where the keyboard covers the page. Chrome and Firefox make the page smaller
 * (`interactive-widget=resizes-content` in index.html); Safari only shrinks the visual viewport, and may pan the page up by some of the
 * keyboard's height. What is left to make up for is the style property `--keyboard-inset`, in CSS pixels.
 */
export function followKeyboard(): void {
  const viewport = globalThis.visualViewport;
  if (!viewport) return;
  const update = () => {
    const { height, offsetTop, scale } = viewport;
    // Zoomed in by two fingers a part of the page is all that can be seen, and nothing covers it.
    const covered = scale > 1.01 ? 0 : Math.max(0, Math.round(innerHeight - height - offsetTop));
    document.documentElement.style.setProperty('--keyboard-inset', `${covered}px`);
  };
  viewport.addEventListener('resize', update);
  viewport.addEventListener('scroll', update);
  update();
}
