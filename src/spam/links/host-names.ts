/** Reads host names as browsers and people do: punycode, all spellings of IPv4, private and loopback addresses. */

/**
 * Cuts off text in another script, or emoji, that follows a host: `example.org谢谢` leads to `example.org`, as it is shown. A host
 * whose last label is in that script, such as `例え.テスト`, stays whole.
 */
export function withoutForeignEnd(host: string): string {
  return host.replace(/(?<=\.[a-z]{2,63})(?!\p{Script=Latin})[^\0-\x7f][^.]*$/iu, '');
}

/** Decodes punycode (RFC 3492). @returns undefined if it is not valid */
export function decodePunycode(label: string): string | undefined {
  const points: number[] = [];
  const last = label.lastIndexOf('-');
  for (let at = 0; at < Math.max(0, last); at++) points.push(label.charCodeAt(at));
  let code = 128;
  let index = 0;
  let bias = 72;
  for (let at = last + 1; at < label.length; ) {
    const before = index;
    let weight = 1;
    for (let step = 36; ; step += 36) {
      const value = digitOf(label.charCodeAt(at++));
      if (value < 0 || at > label.length) return undefined;
      index += value * weight;
      const threshold = step <= bias ? 1 : step >= bias + 26 ? 26 : step - bias;
      if (value < threshold) break;
      weight *= 36 - threshold;
      if (weight > 0x7fffffff) return undefined;
    }
    bias = adapt(index - before, points.length + 1, before === 0);
    code += Math.floor(index / (points.length + 1));
    index %= points.length + 1;
    if (code > 0x10ffff || points.length > 63) return undefined;
    points.splice(index++, 0, code);
  }
  return String.fromCodePoint(...points);
}

function digitOf(code: number): number {
  if (code >= 97 && code <= 122) return code - 97;
  if (code >= 48 && code <= 57) return code - 22;
  return -1;
}

function adapt(delta: number, count: number, first: boolean): number {
  let left = first ? Math.floor(delta / 700) : delta >> 1;
  left += Math.floor(left / count);
  let steps = 0;
  while (left > 455) {
    left = Math.floor(left / 35);
    steps += 36;
  }
  return steps + Math.floor((36 * left) / (left + 38));
}

/** Reads an IPv4 address in any spelling of the URL standard: one to four numbers, decimal, octal or hexadecimal. */
export function parseIpv4(host: string): number | undefined {
  const parts = host.replace(/\.$/, '').split('.');
  if (parts.length > 4) return undefined;
  const numbers: number[] = [];
  for (const part of parts) {
    const value = /^0x[0-9a-f]*$/.test(part)
      ? Number.parseInt(part.slice(2) || '0', 16)
      : /^0[0-7]+$/.test(part)
        ? Number.parseInt(part, 8)
        : /^\d+$/.test(part)
          ? Number(part)
          : Number.NaN;
    if (Number.isNaN(value)) return undefined;
    numbers.push(value);
  }
  const rest = numbers.pop()!;
  if (numbers.some((each) => each > 255) || rest >= 256 ** (4 - numbers.length)) return undefined;
  return numbers.reduce((sum, each, at) => sum + each * 256 ** (3 - at), rest);
}

/** Loopback, private, link-local, shared, this network and reserved. */
function isPrivateIpv4(address: number): boolean {
  const within = (first: number, second: number, bits: number): boolean =>
    Math.floor(address / 2 ** (32 - bits)) === Math.floor((first * 2 ** 24 + second * 2 ** 16) / 2 ** (32 - bits));
  return (
    within(0, 0, 8) ||
    within(10, 0, 8) ||
    within(100, 64, 10) ||
    within(127, 0, 8) ||
    within(169, 254, 16) ||
    within(172, 16, 12) ||
    within(192, 168, 16) ||
    within(198, 18, 15) ||
    address >= 0xe0000000
  );
}

/** The groups of an IPv6 address without brackets and zone; an IPv4 tail is two groups. */
function parseIpv6(text: string): number[] | undefined {
  let spelled = text.replace(/%.*$/, '');
  const tail = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(spelled);
  if (tail) {
    const address = parseIpv4(tail[2]!);
    if (address === undefined) return undefined;
    spelled = `${tail[1]}${Math.floor(address / 65_536).toString(16)}:${(address % 65_536).toString(16)}`;
  }
  const halves = spelled.split('::');
  if (halves.length > 2) return undefined;
  const groups = halves.map((half) => (half === '' ? [] : half.split(':').map((each) => Number.parseInt(each, 16))));
  const [head = [], end = []] = groups;
  const missing = 8 - head.length - end.length;
  const all = halves.length === 2 ? [...head, ...new Array<number>(Math.max(0, missing)).fill(0), ...end] : head;
  return all.length === 8 && all.every((each) => each >= 0 && each <= 0xffff) ? all : undefined;
}

function isPrivateIpv6(groups: readonly number[]): boolean {
  const embedded = groups[6]! * 65_536 + groups[7]!;
  if (groups.slice(0, 5).every((each) => each === 0)) {
    // `::`, `::1`, and IPv4-compatible and IPv4-mapped addresses.
    if (groups[5] === 0) return embedded <= 1 || isPrivateIpv4(embedded);
    if (groups[5] === 0xffff) return isPrivateIpv4(embedded);
  }
  if (groups[0] === 0x64 && groups[1] === 0xff9b) return isPrivateIpv4(embedded);
  const first = groups[0]!;
  return (first & 0xfe00) === 0xfc00 || (first & 0xffc0) === 0xfe80 || (first & 0xff00) === 0xff00;
}

/**
 * Whether a host, lower case and folded, is this machine, in a private network, or not public: `private` if it is written as
 * usual (`localhost`, `10.0.0.5`, `wiki`), `disguised` if it is hidden in numbers (`2130706433`, `0x7f.1`, `[::ffff:10.0.0.1]`).
 */
export function privacyOf(host: string): 'private' | 'disguised' | undefined {
  if (host.startsWith('[')) {
    const groups = parseIpv6(host.replace(/^\[|\]$/g, ''));
    if (groups === undefined) return 'disguised';
    if (!isPrivateIpv6(groups)) return undefined;
    return isEmbedded(groups) ? 'disguised' : 'private';
  }
  const name = host.replace(/\.$/, '');
  const address = parseIpv4(name);
  if (address !== undefined) {
    if (!isPrivateIpv4(address)) return undefined;
    return plainIpv4.test(name) ? 'private' : 'disguised';
  }
  return isPrivateName(name) ? 'private' : undefined;
}

/** Four decimal numbers without leading zeros. */
const plainIpv4 = /^(?:(?:0|[1-9]\d{0,2})(?:\.(?!$)|$)){4}$/;

/** An IPv4 address within an IPv6 address, other than `::` and `::1`. */
function isEmbedded(groups: readonly number[]): boolean {
  const hasPrefix = groups.slice(0, 5).every((each) => each === 0) || groups[0] === 0x64;
  return hasPrefix && groups.slice(5).some((each, at) => each > (at === 2 ? 1 : 0));
}

function isPrivateName(name: string): boolean {
  // Public DNS has no names without a dot.
  if (name !== '' && !name.includes('.')) return true;
  if (/\.(?:localhost|local|internal|intranet|lan|home|corp|home\.arpa|localdomain|private)$/.test(name)) return true;
  if (/^(?:localtest\.me|lvh\.me|vcap\.me)$|\.(?:localtest\.me|lvh\.me|vcap\.me)$/.test(name)) return true;
  // DNS services whose answer is the address in the name.
  const spelled = /(?:^|[.-])(\d{1,3}[.-]\d{1,3}[.-]\d{1,3}[.-]\d{1,3})\.(?:nip|sslip|xip)\.io$/.exec(name);
  const named = spelled && parseIpv4(spelled[1]!.replaceAll('-', '.'));
  return named !== null && named !== undefined && isPrivateIpv4(named);
}
