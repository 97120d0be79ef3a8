/**
 * Password hashes with argon2id (RFC 9106), computed off the main thread and a few at a time.
 *
 * Passwords are normalised as in RFC 8265 §4.2 (OpaqueString): NFC, every kind of space as an ordinary one, because
 * devices type the same letters in different forms. Older hashes were computed from the text as typed. They are compared
 * with those forms, too, and a login that matches one replaces the hash.
 */

import { type Argon2Parameters, argon2, randomBytes, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import { createGate } from '../../concurrency/gate.ts';
import { Failure, type InputPath, invalid } from '../../errors.ts';

const hashWith = promisify(argon2) as (algorithm: 'argon2id', parameters: Argon2Parameters) => Promise<Buffer>;

/** 19 MiB, two passes, one lane: OWASP's Password Storage Cheat Sheet. */
const cost = { memory: 19_456, passes: 2, parallelism: 1, tagLength: 32 } as const;
const bytesMax = 1024;
const bytesMin = 8;

export interface PasswordSettings {
  /** Hashes at once. */
  readonly hashConcurrency: number;
  /** Hashes waiting; more are refused. */
  readonly hashQueueMax: number;
}

export interface Passwords {
  /** @returns the hash as a PHC string. @throws Failure `unavailable` when too many wait */
  readonly hash: (password: string) => Promise<string>;
  /** Takes the same time for an absent hash as for a wrong password. @throws Failure `unavailable` as `hash` */
  readonly match: (hash: string | null | undefined, password: string) => Promise<PasswordMatch>;
  /** Whether the password is right, in any form. */
  readonly verify: (hash: string | null | undefined, password: string) => Promise<boolean>;
}

/** `outdated`: the password is right, but its hash was computed from an older form and should be replaced. */
export type PasswordMatch = 'wrong' | 'right' | 'outdated';

/** Normalises a password before hashing (RFC 8265 §4.2.2). */
function prepare(password: string): string {
  return password.replace(/\p{Zs}/gu, ' ').normalize('NFC');
}

/** The forms that a stored hash may have been computed from, the present one first. */
function formsOf(password: string): string[] {
  const prepared = prepare(password);
  return [...new Set([prepared, password, password.normalize('NFC'), password.normalize('NFD')])];
}

/**
 * Refuses passwords that are too short, too long or among the most common ones.
 * @throws Failure `invalid` for the field at `path`
 */
export async function requirePassword(password: string, path: InputPath = '/password'): Promise<void> {
  const prepared = prepare(password);
  const bytes = Buffer.byteLength(prepared);
  if (bytes < bytesMin || bytes > bytesMax || !password.isWellFormed())
    throw invalid(path, `${bytesMin} to ${bytesMax} bytes`);
  if ((await commonPasswords()).has(prepared.toLowerCase())) throw invalid(path, 'is one of the most common passwords');
}

let common: Promise<ReadonlySet<string>> | undefined;

/** Imported at first use: most processes never need the 50,000 entries. */
function commonPasswords(): Promise<ReadonlySet<string>> {
  common ??= import('@zxcvbn-ts/language-common').then(({ dictionary }) => {
    const list = dictionary['passwords-common'] as readonly string[];
    return new Set(list.filter((each) => each.length >= bytesMin));
  });
  return common;
}

export function createPasswords({ hashConcurrency, hashQueueMax }: PasswordSettings): Passwords {
  const gate = createGate({
    max: hashConcurrency,
    queueMax: hashQueueMax,
    refusal: () => new Failure('unavailable', 'too many logins at once', { retryAfterMs: 2000 }),
  });

  async function hash(password: string): Promise<string> {
    const nonce = randomBytes(16);
    const tag = await gate.run(() => hashWith('argon2id', { message: prepare(password), nonce, ...cost }));
    return `$argon2id$v=19$m=${cost.memory},t=${cost.passes},p=${cost.parallelism}$${unpadded(nonce)}$${unpadded(tag)}`;
  }

  async function match(stored: string | null | undefined, password: string): Promise<PasswordMatch> {
    const known = parse(stored) ?? absent;
    for (const [at, message] of formsOf(password).entries()) {
      if (Buffer.byteLength(message) > bytesMax) continue;
      const tag = await gate.run(() => hashWith('argon2id', { message, ...known.parameters }));
      if (known !== absent && timingSafeEqual(tag, known.tag)) return at === 0 ? 'right' : 'outdated';
    }
    return 'wrong';
  }

  return { hash, match, verify: async (stored, password) => (await match(stored, password)) !== 'wrong' };
}

interface Parsed {
  readonly parameters: Omit<Argon2Parameters, 'message'>;
  readonly tag: Buffer;
}

/** Compared for an account without a password, so that it takes as long as a real comparison. */
const absent: Parsed = { parameters: { nonce: Buffer.alloc(16, 1), ...cost }, tag: Buffer.alloc(32) };

const phc = /^\$argon2id\$v=19\$m=(\d{1,7}),t=(\d{1,3}),p=(\d{1,3})\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)$/;

function parse(stored: string | null | undefined): Parsed | undefined {
  const parts = stored ? phc.exec(stored) : null;
  if (!parts) return undefined;
  const [, memory, passes, parallelism, nonce, hash] = parts;
  const tag = Buffer.from(hash!, 'base64');
  return {
    parameters: {
      memory: Number(memory),
      passes: Number(passes),
      parallelism: Number(parallelism),
      tagLength: tag.length,
      nonce: Buffer.from(nonce!, 'base64'),
    },
    tag,
  };
}

function unpadded(bytes: Buffer): string {
  return bytes.toString('base64').replace(/=+$/, '');
}
