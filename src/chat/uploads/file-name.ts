/** Names of uploaded files. They are texts for people: nothing is ever stored under them. */
import { toLine } from '../../http/input/line-text.ts';

/** More is not read, in code points. */
const givenMax = 4096;

/**
 * The name that readers see: without folders, control characters and characters that turn the writing direction
 * (`exe.gnp` that reads `png.exe`), and cut before its extension.
 * @param given as the client sent it
 * @param max code points
 */
export function toFileName(given: string | undefined, max: number): string {
  const base = (given ?? '').split(/[/\\]/).at(-1)!;
  const clean = toLine(base, givenMax) ?? '';
  // A leading dot hides a file, and Windows drops dots at the end.
  const visible = clean.replace(/^[.\s]+|[.\s]+$/g, '');
  if (visible === '') return 'file';
  const points = [...visible];
  if (points.length <= max) return visible;
  const [extension = ''] = /\.[\p{L}\p{N}]{1,10}$/u.exec(visible) ?? [];
  const cut = toLine(visible.slice(0, visible.length - extension.length), max - extension.length) ?? 'file';
  return cut + extension;
}

/** With another extension, as for a thumbnail. */
export function withExtension(name: string, extension: string): string {
  return `${name.replace(/\.[\p{L}\p{N}]{1,10}$/u, '')}.${extension}`;
}

/**
 * RFC 6266: the plain name for old clients, and the real one in UTF-8 (RFC 8187).
 * @param kind `inline` only for types that browsers show without running anything
 */
export function contentDisposition(kind: 'inline' | 'attachment', name: string): string {
  const plain = name.replace(/[^\x20-\x7e]|["\\%]/g, '_');
  const encoded = encodeURIComponent(name).replace(
    /['()*]/g,
    (each) => `%${each.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return `${kind}; filename="${plain}"${plain === name ? '' : `; filename*=UTF-8''${encoded}`}`;
}
