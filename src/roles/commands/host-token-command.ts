/** `node src/main.ts token`: a token as a host application would sign it, for trying things out. */
import { SignJWT } from 'jose';
import { type Config, ConfigError } from '../../config/load.ts';
import { duration } from '../../config/setting.ts';

const usage = 'usage: node src/main.ts token --sub <id> [--name <name>] [--lifetime <duration>]';
const lifetimeSetting = duration('1h', 'How long the token is good', { minMs: 1000 });

interface Wanted {
  readonly sub: string;
  readonly name: string | undefined;
  readonly lifetimeMs: number;
}

function readWanted(words: readonly string[]): Wanted {
  const flags = new Map<string, string>();
  for (let at = 0; at < words.length; at++) {
    const [flag, inline] = words[at]!.split(/=(.*)/s) as [string, string?];
    const value = inline ?? words[++at];
    if (!['--sub', '--name', '--lifetime'].includes(flag) || value === undefined || flags.has(flag))
      throw new ConfigError(usage);
    flags.set(flag, value);
  }
  const sub = flags.get('--sub');
  if (!sub) throw new ConfigError(usage);
  const lifetime = lifetimeSetting.parse(flags.get('--lifetime') ?? '1h');
  if ('expected' in lifetime) throw new ConfigError(`--lifetime must be ${lifetime.expected}`);
  return { sub, name: flags.get('--name'), lifetimeMs: lifetime.value };
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
