/** Copies a text, on pages without https too: these have no `navigator.clipboard`. */

/** To be called while a click is handled. @throws Error when the browser refuses */
export async function copyText(text: string): Promise<void> {
  if (navigator.clipboard) await navigator.clipboard.writeText(text);
  else copyBySelection(text);
}

function copyBySelection(text: string): void {
  const box = document.createElement('textarea');
  box.value = text;
  box.readOnly = true;
  box.className = 'unseen';
  const focused = document.activeElement;
  // An open dialog makes everything outside it inert.
  ([...document.querySelectorAll('dialog[open]')].at(-1) ?? document.body).append(box);
  box.select();
  const isCopied = document.execCommand('copy');
  box.remove();
  if (focused instanceof HTMLElement) focused.focus();
  if (!isCopied) throw new Error('the browser did not copy the text');
}
