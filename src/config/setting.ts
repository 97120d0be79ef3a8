/**
 * The kinds of settings: how each is written in the configuration, and the value that the program gets.
 * Durations become milliseconds and sizes become bytes, so that no other module parses text.
 */
import { isIP } from 'node:net';
import { parse as parseYaml } from 'yaml';

/** A parsed value, or a description of the values that are allowed. */
export type Parsed<Value> = { readonly value: Value } | { readonly expected: string };

export interface Setting<Value> {
  readonly kind: string;
  readonly fallback: Value;
  readonly doc: string;
  /** Masked by `--print-config` and never logged. */
  readonly secret: boolean;
  /** Environment names besides `PARLEY_…` that users expect, such as `DATABASE_URL`. */
  readonly aliases: readonly string[];
  /** Parses a value of the YAML file, the environment or a flag. */
  readonly parse: (raw: unknown) => Parsed<Value>;
  /**
   * The value in the form of a configuration file: `24h`, `1MB`. `parse` reads it.
   * A method, so that settings of any value fit into one list.
   */
  write(value: Value): string;
  /** Objects keyed by names of the user's choice: `auth.providers.<name>`. */
  readonly open: boolean;
}

interface Extras {
  readonly secret?: boolean;
  readonly aliases?: readonly string[];
}

function define<Value>(
  kind: string,
  fallback: Value,
  doc: string,
  parse: (raw: unknown) => Parsed<Value>,
  extras: Extras & { open?: boolean; write?: (value: Value) => string } = {},
): Setting<Value> {
  const { secret = false, aliases = [], open = false, write = (value) => JSON.stringify(value ?? null) } = extras;
  return { kind, fallback, doc, parse, write, secret, aliases, open };
}

/** The text of a single value; empty for a list or a mapping. */
function written(raw: unknown): string {
  return ['string', 'number', 'boolean'].includes(typeof raw) ? String(raw).trim() : '';
}

const durationUnits: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** The shortest way to write a duration exactly; a single day is 24h. */
export function writeDuration(ms: number): string {
  const [unit, length] = Object.entries(durationUnits)
    .toReversed()
    .find(([name, unitMs]) => ms > 0 && ms % unitMs === 0 && (name !== 'd' || ms > unitMs)) ?? ['ms', 1];
  // `parse` does not read scientific notation.
  const count = (ms / length).toLocaleString('en', { useGrouping: false, maximumFractionDigits: 20 });
  return ms === 0 ? '0s' : `${count}${unit}`;
}

/** `500ms`, `10s`, `10m`, `24h`, `7d`, or a plain number of seconds. The value is milliseconds. */
export function duration(
  fallback: string,
  doc: string,
  { minMs = 0, maxMs = 3650 * 86_400_000, ...extras }: Extras & { minMs?: number; maxMs?: number } = {},
): Setting<number> {
  const parse = (raw: unknown): Parsed<number> => {
    const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)?$/.exec(written(raw));
    const value = match ? Number(match[1]) * (durationUnits[match[2] ?? 's'] ?? 1000) : Number.NaN;
    return value >= minMs && value <= maxMs
      ? { value }
      : {
          expected: `a duration from ${writeDuration(minMs)} to ${writeDuration(maxMs)}: seconds, or 500ms, 10s, 10m, 24h, 7d`,
        };
  };
  const initial = parse(fallback);
  if (!('value' in initial)) throw new Error(`bad default ${fallback}`);
  return define('duration', initial.value, doc, parse, { ...extras, write: writeDuration });
}

const sizeUnits: Readonly<Record<string, number>> = { '': 1, b: 1, kb: 1024, mb: 1024 ** 2, gb: 1024 ** 3 };

/** The largest unit that divides a size. */
export function writeSize(bytes: number): string {
  const [unit, length] =
    (
      [
        ['GB', 1024 ** 3],
        ['MB', 1024 ** 2],
        ['kB', 1024],
      ] as const
    ).find(([, each]) => bytes > 0 && bytes % each === 0) ?? (['', 1] as const);
  return `${bytes / length}${unit}`;
}

/** `64kB`, `1MB`, or a plain number of bytes; 1 kB = 1,024 bytes. */
export function size(
  fallback: string,
  doc: string,
  { max = Number.MAX_SAFE_INTEGER, ...extras }: Extras & { max?: number } = {},
): Setting<number> {
  const parse = (raw: unknown): Parsed<number> => {
    const match = /^(\d+)\s*(b|kb|mb|gb)?$/i.exec(written(raw));
    const unit = match ? sizeUnits[(match[2] ?? '').toLowerCase()] : undefined;
    const value = match && unit !== undefined ? Number(match[1]) * unit : Number.NaN;
    const bound = max === Number.MAX_SAFE_INTEGER ? '' : `, at most ${writeSize(max)}`;
    return value <= max ? { value } : { expected: `a size: bytes, or 64kB, 1MB, 2GB${bound}` };
  };
  const initial = parse(fallback);
  if (!('value' in initial)) throw new Error(`bad default ${fallback}`);
  return define('size', initial.value, doc, parse, { ...extras, write: writeSize });
}

export function integer(
  fallback: number,
  doc: string,
  { min = 0, max = Number.MAX_SAFE_INTEGER, ...extras }: Extras & { min?: number; max?: number } = {},
): Setting<number> {
  return define<number>(
    'integer',
    fallback,
    doc,
    (raw) => {
      const value = typeof raw === 'number' ? raw : /^-?\d+$/.test(written(raw)) ? Number(raw) : Number.NaN;
      return Number.isSafeInteger(value) && value >= min && value <= max
        ? { value }
        : { expected: `a whole number from ${min} to ${max}` };
    },
    extras,
  );
}

export function fraction(fallback: number, doc: string, extras: Extras = {}): Setting<number> {
  return define<number>(
    'number',
    fallback,
    doc,
    (raw) => {
      const value = typeof raw === 'number' ? raw : written(raw) === '' ? Number.NaN : Number(raw);
      return value >= 0 && value <= 1 ? { value } : { expected: 'a number from 0 to 1' };
    },
    extras,
  );
}

export function flag(fallback: boolean, doc: string, extras: Extras = {}): Setting<boolean> {
  return define<boolean>(
    'boolean',
    fallback,
    doc,
    (raw) => {
      const text = written(raw).toLowerCase();
      if (['true', '1', 'yes', 'on'].includes(text)) return { value: true };
      if (['false', '0', 'no', 'off'].includes(text)) return { value: false };
      return { expected: 'true or false' };
    },
    extras,
  );
}

export function text(
  fallback: string,
  doc: string,
  { pattern, expected = 'a text', ...extras }: Extras & { pattern?: RegExp; expected?: string } = {},
): Setting<string> {
  return define<string>(
    'text',
    fallback,
    doc,
    (raw) =>
      (typeof raw === 'string' || typeof raw === 'number') && (!pattern || pattern.test(String(raw)))
        ? { value: String(raw) }
        : { expected },
    extras,
  );
}

/** A text that may be missing: `undefined` means "not configured". */
export function optional(
  doc: string,
  options: Extras & { pattern?: RegExp; expected?: string } = {},
): Setting<string | undefined> {
  const inner = text('', doc, options);
  return {
    ...inner,
    fallback: undefined,
    write: (value) => JSON.stringify(value ?? null),
    parse: (raw) => (raw === null || raw === '' ? { value: undefined } : inner.parse(raw)),
  };
}

export function choice<const Options extends readonly string[]>(
  options: Options,
  fallback: Options[number],
  doc: string,
  extras: Extras = {},
): Setting<Options[number]> {
  return define<Options[number]>(
    options.join('|'),
    fallback,
    doc,
    (raw) => (options.includes(written(raw)) ? { value: written(raw) } : { expected: `one of ${options.join(', ')}` }),
    extras,
  );
}

/** A YAML list, or texts separated by commas. */
export function list(
  fallback: readonly string[],
  doc: string,
  {
    item = (text) => text !== '',
    expected = 'a list of texts',
    ...extras
  }: Extras & { item?: (text: string) => boolean; expected?: string } = {},
): Setting<readonly string[]> {
  return define<readonly string[]>(
    'list',
    fallback,
    doc,
    (raw) => {
      const items: readonly unknown[] =
        typeof raw === 'object'
          ? [raw].flat()
          : written(raw)
              .split(',')
              .map((part) => part.trim())
              .filter((part) => part !== '');
      return items.every((each): each is string => typeof each === 'string' && item(each))
        ? { value: items }
        : { expected };
    },
    extras,
  );
}

/** Networks, as `10.0.0.0/8`, `fd00::/8` or one address. */
export function networks(doc: string): Setting<readonly string[]> {
  return list([], doc, { item: isNetwork, expected: 'a list of CIDRs such as 10.0.0.0/8 or fd00::/8' });
}

function isNetwork(text: string): boolean {
  const [address = '', bits, ...rest] = text.split('/');
  const version = isIP(address);
  const inRange = bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (version === 4 ? 32 : 128));
  return version !== 0 && inRange && rest.length === 0;
}

/** One entry of `outbound.allow`. */
export function isHostOrNetwork(text: string): boolean {
  return isNetwork(text) || /^(?=.{1,253}$)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*$/i.test(text);
}

/** Origins as browsers send them: scheme, host and port. */
export function origins(doc: string): Setting<readonly string[]> {
  const isOrigin = (text: string) =>
    URL.canParse(text) && /^https?:$/.test(new URL(text).protocol) && new URL(text).origin === text;
  return list([], doc, {
    item: isOrigin,
    expected: 'a list of origins such as https://app.example.com, without a path',
  });
}

/** A nested value (YAML, or JSON in the environment), checked by the given function. */
export function structure<Value>(
  fallback: Value,
  doc: string,
  check: (raw: unknown) => Parsed<Value>,
  extras: Extras & { open?: boolean } = {},
): Setting<Value> {
  return define(
    'structure',
    fallback,
    doc,
    (raw) => {
      if (typeof raw !== 'string') return check(raw);
      try {
        return check(parseYaml(raw));
      } catch {
        return { expected: 'JSON or YAML' };
      }
    },
    extras,
  );
}
