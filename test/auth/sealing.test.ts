import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino from 'pino';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createSecretCipher, type SecretCipherSettings } from '../../src/auth/credentials/secret-encryption.ts';
import { connectDatabase } from '../../src/database/connect.ts';
import { createDatabase, type TestDatabase } from '../harness/test-database.ts';

let database: TestDatabase;
let connection: ReturnType<typeof connectDatabase>;
let folder: string;

beforeAll(async () => {
  [database, folder] = await Promise.all([createDatabase(), mkdtemp(join(tmpdir(), 'parley-sealing-'))]);
  const settings = { url: database.url, poolSize: 2, statementTimeout: 5000, connectTimeout: 5000, name: 'sealing' };
  connection = connectDatabase(settings);
});
afterAll(async () => {
  await connection.close();
  await Promise.all([database.drop(), rm(folder, { recursive: true })]);
});

const none = { configured: undefined, jwtSecret: undefined, embeddedDir: undefined };
const sealerWith = (settings: Partial<SecretCipherSettings> = {}) =>
  createSecretCipher({ db: connection.db, logger: pino({ level: 'silent' }), settings: { ...none, ...settings } });
const secret = Buffer.from('the secret of an app');
const configured = 'a configured key of thirty-two bytes';

test('a secret can be decrypted only for its purpose and only if it was not changed', async () => {
  const secretCipher = await sealerWith({ configured });
  const sealed = secretCipher.seal(secret, 'totp ana');
  expect(secretCipher.open(sealed, 'totp ana')).toEqual(secret);
  expect(sealed).not.toContain(secret.toString('base64url'));
  expect(secretCipher.seal(secret, 'totp ana')).not.toBe(sealed);
  expect(() => secretCipher.open(sealed, 'totp ben')).toThrow();
  for (const at of [0, 3, 20, 40, sealed.length - 2]) {
    const changed = `${sealed.slice(0, at)}${sealed[at] === 'A' ? 'B' : 'A'}${sealed.slice(at + 1)}`;
    expect(() => secretCipher.open(changed, 'totp ana'), String(at)).toThrow();
  }
  const other = await sealerWith({ configured: 'another key, also of many bytes indeed' });
  expect(() => other.open(sealed, 'totp ana')).toThrow('unknown key');
});

test('without a setting all instances share a key in the database, and a later setting still decrypts with it', async () => {
  const [one, two] = await Promise.all([sealerWith(), sealerWith()]);
  const sealed = one.seal(secret, 'x');
  expect(two.open(sealed, 'x')).toEqual(secret);
  const later = await sealerWith({ configured });
  expect(later.open(sealed, 'x')).toEqual(secret);
  expect(() => one.open(later.seal(secret, 'x'), 'x')).toThrow('unknown key');
});

test('only the owner can read the key file, and its text works as a setting elsewhere', async () => {
  const here = await sealerWith({ embeddedDir: folder });
  const path = join(folder, 'sealing.key');
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  const sealed = here.seal(secret, 'x');
  expect((await sealerWith({ embeddedDir: folder })).open(sealed, 'x')).toEqual(secret);
  expect((await sealerWith({ configured: await readFile(path, 'utf8') })).open(sealed, 'x')).toEqual(secret);
});
