/** Range requests of RFC 9110 §14: one range, as players and download managers send it. */
import type { ByteRange } from './store/file-store.ts';

/** `all`: the header is absent, not of bytes, or asks for several ranges, which a server may answer with everything. */
export type RequestedRange = ByteRange | 'all' | 'unsatisfiable';

export function readRange(header: string | undefined, size: number): RequestedRange {
  const [, first, last] = /^bytes=(\d{0,15})-(\d{0,15})$/.exec((header ?? '').trim()) ?? [];
  if (first === undefined || last === undefined || (first === '' && last === '')) return 'all';
  if (first === '')
    return Number(last) === 0 || size === 0
      ? 'unsatisfiable'
      : { start: Math.max(0, size - Number(last)), end: size - 1 };
  const start = Number(first);
  if (last !== '' && Number(last) < start) return 'all';
  if (start >= size) return 'unsatisfiable';
  return { start, end: last === '' ? size - 1 : Math.min(Number(last), size - 1) };
}

/** Whether one of the tags of `If-None-Match` is this one. Weak comparison, RFC 9110 §13.1.2. */
export function matchesTag(header: string | undefined, tag: string): boolean {
  if (header === undefined) return false;
  return header.trim() === '*' || header.split(',').some((each) => each.trim().replace(/^W\//, '') === tag);
}
