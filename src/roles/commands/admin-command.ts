/** `node src/main.ts admin …`: creates the first admin without SQL, verifies that an erased user left no traces, and recounts what is unread. */
import { createFirstAdmin, setupLink } from '../../auth/account/first-admin.ts';
import { createOneTimeTokens } from '../../auth/credentials/one-time-tokens.ts';
import { createPasswords, requirePassword } from '../../auth/credentials/passwords.ts';
import { type Config, ConfigError } from '../../config/load.ts';
import { connectDatabase, connectionLimits, connectSql } from '../../database/connect.ts';
import { checkPooler } from '../../database/connection/pooler-check.ts';
import { checkServer } from '../../database/connection/server-check.ts';
import { startEmbeddedPostgres } from '../../database/embedded/embedded-postgres.ts';
import { migrate } from '../../database/migrate.ts';
import { createLogger } from '../../logger/logger.ts';
import { createUserRepository } from '../../user/account/user-repository.ts';
import { createUsernameRule, requireEmail } from '../../user/account/user-text.ts';
import { readCommandFlags } from './command-flags.ts';
import { findTraces, type Wanted } from './erasure-verifier.ts';
import { reconcile } from './reconcile-command.ts';

const usage =
  'usage: node src/main.ts admin create --username <name> --email <address>, the password on standard input; ' +
  'or admin setup-link; ' +
  'or admin reconcile; ' +
  'or admin verify-erased <user id or receipt> [--contains <text> …]';

/** A user with many rooms has more to count than a request may. */
const recountMs = 600_000;

/** @throws ConfigError with the usage, Failure for an invalid name, address or password */
export async function runAdminCommand(words: readonly string[], config: Config): Promise<void> {
  if (words[0] === 'verify-erased') return verifyErased(words.slice(1), config);
  if (words[0] === 'reconcile' && words.length === 1) return runReconcile(config);
  if (words[0] === 'setup-link' && words.length === 1) return printSetupLink(config);
  if (words[0] !== 'create') throw new ConfigError(usage);
  const { flags, words: others } = readCommandFlags(words.slice(1), ['username', 'email'], usage);
  if (others.length > 0) throw new ConfigError(usage);
  // Reserved usernames are for the operator, so they are allowed here.
  const username = createUsernameRule([])(flags.username?.at(-1) ?? '');
  const email = requireEmail(flags.email?.at(-1) ?? '');
  const password = await readPassword();
  await requirePassword(password);
  const { url, stop } = await openDatabase(config);
  const { db, close } = connectDatabase({ ...connectionLimits(config), url, poolSize: 1, name: 'admin' });
  try {
    const passwordHash = await createPasswords(config.auth).hash(password);
    const user = await createUserRepository(db).create(db, {
      username,
      displayName: username,
      kind: 'user',
      email,
      emailVerified: true,
      passwordHash,
      role: 'admin',
    });
    process.stdout.write(`${user.username} is an admin now: ${user.id}\n`);
  } finally {
    await close();
    await stop();
  }
}

/** Prints a link to the page that creates the first admin. */
async function printSetupLink(config: Config): Promise<void> {
  const { url, stop } = await openDatabase(config);
  const { db, close } = connectDatabase({ ...connectionLimits(config), url, poolSize: 1, name: 'admin' });
  try {
    const token = await createFirstAdmin({
      db,
      users: createUserRepository(db),
      oneTimeTokens: createOneTimeTokens(db),
      settings: { linkLifetimeMs: config.auth.setupLinkLifetime, firstLocalUser: false },
    }).issueToken();
    if (token === undefined) throw new ConfigError('there is an admin already; admin create makes another one');
    process.stdout.write(`${setupLink(config.publicUrl ?? `http://localhost:${config.http.port}`, token)}\n`);
  } finally {
    await close();
    await stop();
  }
}

/** Prints the traces of an erased user; the exit code is 1 if there are any. */
async function verifyErased(words: readonly string[], config: Config): Promise<void> {
  const { flags, words: targets } = readCommandFlags(words, ['contains'], usage);
  const wanted = targets.length === 1 ? readWanted(targets[0]!, flags.contains ?? []) : undefined;
  if (!wanted) throw new ConfigError(usage);
  const { url, stop } = await openDatabase(config);
  const sql = connectSql({ ...connectionLimits(config), url, poolSize: 1, name: 'admin' });
  try {
    const { searched, findings } = await findTraces({ sql, redis: config.redis, wanted });
    for (const { place, what, count } of findings)
      process.stdout.write(`${place}: ${what} in ${count} row${count === 1 ? '' : 's'}\n`);
    const total = findings.reduce((sum, { count }) => sum + count, 0);
    process.stdout.write(`${total} found of ${wanted.userId} in ${searched}\n`);
    if (total > 0) process.exitCode = 1;
  } finally {
    await sql.end({ timeout: 2 });
    await stop();
  }
}

/** Prints where unread counts differ from a recount; the exit code is 1 if any does. */
async function runReconcile(config: Config): Promise<void> {
  const { url, stop } = await openDatabase(config);
  const sql = connectSql({ ...connectionLimits(config), url, poolSize: 1, name: 'admin', statementTimeout: recountMs });
  try {
    if ((await reconcile(sql, (line) => process.stdout.write(line))) > 0) process.exitCode = 1;
  } finally {
    await sql.end({ timeout: 2 });
    await stop();
  }
}

/** @param target a user id, or the receipt of an erasure */
function readWanted(target: string, texts: readonly string[]): Wanted | undefined {
  if (texts.includes('')) return undefined;
  if (isUuid(target)) return { userId: target, texts };
  try {
    const { userId, markers } = JSON.parse(Buffer.from(target, 'base64url').toString('utf8')) as Record<
      string,
      unknown
    >;
    if (!isUuid(userId) || !Array.isArray(markers)) return undefined;
    return { userId, texts: [...texts, ...markers.filter((each): each is string => typeof each === 'string')] };
  } catch {
    return undefined;
  }
}

function isUuid(text: unknown): text is string {
  return typeof text === 'string' && /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(text);
}

/** Reads one line from a pipe or a terminal; more than 4 kB are ignored. */
async function readPassword(): Promise<string> {
  if (process.stdin.isTTY) process.stderr.write('Password: ');
  let text = '';
  for await (const chunk of process.stdin.setEncoding('utf8')) {
    text += String(chunk);
    if (text.includes('\n') || text.length > 4096) break;
  }
  return text.split(/\r?\n/)[0]!;
}

async function openDatabase(config: Config): Promise<{ url: string; stop: () => Promise<void> }> {
  const logger = createLogger({ ...config.log, level: 'silent' });
  const embedded =
    config.database.url === undefined
      ? await startEmbeddedPostgres({ dir: config.database.embedded.dir, logger })
      : undefined;
  const url = config.database.url ?? embedded!.url;
  await checkServer(url, config.database.pooling);
  await checkPooler(url, config.database.pooling);
  await migrate(url, config.database.pooling);
  return { url, stop: async () => embedded?.stop() };
}
