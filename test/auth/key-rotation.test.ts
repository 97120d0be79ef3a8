import { randomUUID } from 'node:crypto';
import Fastify from 'fastify';
import pino from 'pino';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createAccessTokens } from '../../src/auth/credentials/access-tokens.ts';
import { type SigningKeys, startSigningKeys } from '../../src/auth/credentials/signing-keys.ts';
import { connectDatabase } from '../../src/database/connect.ts';
import { signingKeys } from '../../src/database/tables/credential-tables.ts';
import { createDatabase, type TestDatabase } from '../harness/test-database.ts';

let database: TestDatabase;
let connection: ReturnType<typeof connectDatabase>;

beforeAll(async () => {
  database = await createDatabase();
  const settings = { url: database.url, poolSize: 4, statementTimeout: 5000, connectTimeout: 5000, name: 'keys' };
  connection = connectDatabase(settings);
});
afterAll(async () => {
  await connection.close();
  await database.drop();
});

const start = () =>
  startSigningKeys({
    db: connection.db,
    logger: pino({ level: 'silent' }),
    settings: { secret: undefined, rotationMs: 900, overlapMs: 300, verifyMs: 600 },
  });

test('a key is known everywhere before it signs and while its tokens are valid, and is deleted then', async () => {
  const instances: SigningKeys[] = [await start(), await start(), await start()];
  try {
    const [first] = instances.map((each) => each.current().id);
    expect(new Set(instances.map((each) => each.current().id)).size).toBe(1);
    const signedBy = new Set<string>();
    let unknown = 0;
    // Over the lifetimes of four keys: every instance knows the others' signing keys without reading them again.
    while (signedBy.size < 4) {
      for (const signer of instances) {
        const { id } = signer.current();
        signedBy.add(id);
        for (const checker of instances) if (!checker.publicJwks().some(({ kid }) => kid === id)) unknown += 1;
      }
      await new Promise((wake) => setTimeout(wake, 10));
    }
    expect(unknown).toBe(0);
    await expect.poll(() => instances[0]!.find(first!)).toBeUndefined();
    for (const each of instances) expect(each.publicJwks().length).toBeLessThanOrEqual(4);
    expect(JSON.stringify(instances[0]!.publicJwks())).not.toContain('"d"');
  } finally {
    for (const each of instances) each.stop();
  }
});

test('a cached token is refused after its key was deleted', async () => {
  const keys = await start();
  const app = Fastify();
  try {
    const settings = { lifetimeMs: 60_000, leewayMs: 0, cacheMax: 10 };
    const tokens = await createAccessTokens({ app: app as never, keys, settings });
    const subject = { userId: randomUUID(), sessionId: randomUUID(), role: 'user', kind: 'user' } as const;
    const { token } = tokens.sign(subject);
    const caller = await tokens.verify(token);
    expect(tokens.remembered(token)).toEqual(caller);
    await connection.db.delete(signingKeys);
    const verdict = () =>
      tokens.verify(token).then(
        () => 'good',
        ({ code }: { code: string }) => code,
      );
    await expect.poll(verdict).toBe('unauthenticated');
    expect(tokens.remembered(token)).toBeUndefined();
    // Tokens of later keys verify, whichever key this process started with.
    expect(await tokens.verify(tokens.sign(subject).token)).toMatchObject(subject);
  } finally {
    keys.stop();
    await app.close();
  }
});
