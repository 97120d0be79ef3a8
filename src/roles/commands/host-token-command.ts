/** `node src/main.ts token`: prints a token as a host application would sign it, for trying things out. */
import { SignJWT } from 'jose';
import { type Config, ConfigError } from '../../config/load.ts';
import { duration } from '../../config/setting.ts';
import { readCommandFlags } from './command-flags.ts';

const usage = 'usage: node src/main.ts token --sub <id> [--name <name>] [--lifetime <duration>]';
const lifetimeSetting = duration('1h', 'Lifetime of the token', { minMs: 1000 });

interface Wanted {
  readonly sub: string;
  readonly name: string | undefined;
  readonly lifetimeMs: number;
}

function readWanted(words: readonly string[]): Wanted {
  const { flags, words: others } = readCommandFlags(words, ['sub', 'name', 'lifetime'], usage);
  const { sub = [], name = [], lifetime = ['1h'] } = flags;
  const isRepeated = [sub, name, lifetime].some((values) => values.length > 1);
  if (!sub[0] || isRepeated || others.length > 0) throw new ConfigError(usage);
  const parsed = lifetimeSetting.parse(lifetime[0]);
  if ('expected' in parsed) throw new ConfigError(`--lifetime must be ${parsed.expected}`);
  return { sub: sub[0], name: name[0], lifetimeMs: parsed.value };
}

/**
 * Prints a token signed with the first secret of `auth.issuers`.
 * @throws ConfigError with the usage, or when no host application has a secret
 */
export async function printHostToken(words: readonly string[], { auth }: Config): Promise<void> {
  const { sub, name, lifetimeMs } = readWanted(words);
  const issuer = auth.issuers.find(({ secret }) => secret !== undefined);
  if (!issuer)
    throw new ConfigError(
      'no host application with a secret is configured: add one to "auth.issuers" (docs/embedding.md)',
    );
  const now = Math.floor(Date.now() / 1000);
  const token = await new SignJWT(name === undefined ? {} : { [issuer.claims?.name ?? 'name']: name })
    .setProtectedHeader({ alg: issuer.algorithms?.[0] ?? 'HS256', typ: 'JWT' })
    .setIssuer(issuer.issuer)
    .setAudience(issuer.audience)
    .setSubject(sub)
    .setIssuedAt(now)
    .setExpirationTime(now + Math.ceil(lifetimeMs / 1000))
    .sign(new TextEncoder().encode(issuer.secret));
  process.stdout.write(`${token}\n`);
}
