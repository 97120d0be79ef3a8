/**
 * Encrypts secrets that must be readable, such as TOTP secrets: AES-256-GCM (NIST SP 800-38D) with a key that should not
 * be stored in the database. The key is the first of: `auth.sealingKey`; `JWT_SECRET`; a file beside an embedded database;
 * a row in the database. The last keeps secrets out of logs and casual queries, but not from somebody with the whole
 * database.
 */
import { createCipheriv, createDecipheriv, createHash, hkdfSync, randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { asc } from 'drizzle-orm';
import type { Logger } from 'pino';
import type { Database } from '../../database/connect.ts';
import { sealingKeys } from '../../database/tables/credential-tables.ts';

export interface SecretCipher {
  /** @param purpose authenticated with the secret: `open` needs the same purpose */
  readonly seal: (secret: Buffer, purpose: string) => string;
  /** @throws Error if the key is unknown, the purpose differs or the text was changed */
  readonly open: (sealed: string, purpose: string) => Buffer;
  /** A key of 256 bits for one purpose, the same on all instances until the key of this cipher is replaced. */
  readonly deriveKey: (purpose: string) => Buffer;
}

export interface SecretCipherSettings {
  /** `auth.sealingKey`. */
  readonly configured: string | undefined;
  readonly jwtSecret: string | undefined;
  /** The folder of an embedded database. */
  readonly embeddedDir: string | undefined;
}

interface Key {
  readonly id: string;
  readonly bytes: Buffer;
}

export async function createSecretCipher({
  db,
  logger,
  settings: { configured, jwtSecret, embeddedDir },
}: {
  db: Database;
  logger: Logger;
  settings: SecretCipherSettings;
}): Promise<SecretCipher> {
  const keys: Key[] = [configured, jwtSecret].filter((each) => each !== undefined).map((each) => derive(each));
  if (embeddedDir !== undefined) keys.push(derive(await readKeyFile(join(embeddedDir, 'sealing.key'))));
  const stored = await storedKeys(db, { orMake: keys.length === 0 });
  if (keys.length === 0)
    logger.warn('secrets are encrypted with a key that is in the database: set auth.sealingKey to keep it elsewhere');
  // The first key encrypts; each key decrypts what it once encrypted.
  keys.push(...stored);
  const byId = new Map(keys.map((key) => [key.id, key]));
  const current = keys[0]!;

  return {
    seal: (secret, purpose) => {
      const nonce = randomBytes(12);
      const cipher = createCipheriv('aes-256-gcm', current.bytes, nonce).setAAD(Buffer.from(purpose));
      const sealed = Buffer.concat([cipher.update(secret), cipher.final()]);
      return ['v1', current.id, ...[nonce, sealed, cipher.getAuthTag()].map((part) => part.toString('base64url'))].join(
        '.',
      );
    },
    open: (text, purpose) => {
      const [version, id = '', ...parts] = text.split('.');
      const key = byId.get(id);
      if (version !== 'v1' || !key || parts.length !== 3)
        throw new Error('this secret was encrypted with an unknown key');
      const [nonce, sealed, tag] = parts.map((part) => Buffer.from(part, 'base64url')) as [Buffer, Buffer, Buffer];
      const decipher = createDecipheriv('aes-256-gcm', key.bytes, nonce, { authTagLength: 16 })
        .setAAD(Buffer.from(purpose))
        .setAuthTag(tag);
      return Buffer.concat([decipher.update(sealed), decipher.final()]);
    },
    deriveKey: (purpose) => Buffer.from(hkdfSync('sha256', current.bytes, '', `parley ${purpose}`, 32)),
  };
}

/** The id identifies the key and reveals nothing about it. */
function derive(material: string | Buffer): Key {
  const bytes = Buffer.from(hkdfSync('sha256', material, '', 'parley sealing key', 32));
  return { id: createHash('sha256').update('id ').update(bytes).digest('base64url').slice(0, 11), bytes };
}

/** The file's text can be used as `auth.sealingKey` elsewhere, to decrypt what was encrypted here. */
async function readKeyFile(path: string): Promise<string> {
  try {
    // `wx` fails if the file exists: of two processes that start at once, one creates it.
    await writeFile(path, randomBytes(32).toString('base64url'), { mode: 0o600, flag: 'wx' });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  const key = (await readFile(path, 'utf8')).trim();
  if (key.length < 32) throw new Error(`${path} does not contain a key`);
  return key;
}

async function storedKeys(db: Database, { orMake }: { orMake: boolean }): Promise<Key[]> {
  const read = () => db.select().from(sealingKeys).orderBy(asc(sealingKeys.createdAt), asc(sealingKeys.id));
  let rows = await read();
  if (rows.length === 0 && orMake) {
    // All instances use the same id: the first insert wins, and every instance reads its key.
    await db
      .insert(sealingKeys)
      .values({ id: 'first', key: randomBytes(32) })
      .onConflictDoNothing();
    rows = await read();
  }
  return rows.map(({ key }) => derive(key));
}
