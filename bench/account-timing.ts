/**
 * Measures whether response times reveal that an account exists: the same request about an existing and a missing account, alternating, on
 * one server. Each ratio comes with the chance that the request about the existing account took longer; 0.5 reveals nothing.
 */
import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { freePort, type Row, serverCore, startPinned, stop, waitFor } from './measure.ts';
import { startTown } from './town.ts';

type Ask = (about: 'somebody' | 'nobody', n: number) => Promise<Response>;

const some = () => `n${randomBytes(6).toString('hex')}`;

export async function accountTiming(): Promise<Row[]> {
  const town = await startTown();
  const port = await freePort();
  const server = startPinned(serverCore, fileURLToPath(new URL('../src/main.ts', import.meta.url)), {
    args: ['--role', 'all'],
    env: {
      DATABASE_URL: town.url,
      PORT: String(port),
      PARLEY_PROCESSING_PORT: String(await freePort()),
      HOST: '127.0.0.1',
      LOG_LEVEL: 'warn',
      PARLEY_LIMITS_LOGINS_PER_MINUTE: '1000000',
      PARLEY_LIMITS_LOGINS_PER_ACCOUNT: '1000000',
    },
  });
  const url = `http://127.0.0.1:${port}`;
  await waitFor(`${url}/health/ready`);
  const post = (path: string, body: object) =>
    fetch(`${url}/v1/auth/${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
  const people = await Promise.all(
    Array.from({ length: 20 }, async () => {
      const username = some();
      const email = `${username}@example.org`;
      await post('register', { username, email, password: 'a long enough one' });
      return { username, email };
    }),
  );
  const sql = town.sql;
  await sql`update users set email_verified_at = now() where username = any(${people.map(({ username }) => username)})`;
  const somebody = (n: number) => people[n % people.length]!;

  const rows: Row[] = [];
  const asks: readonly (readonly [string, number, Ask])[] = [
    [
      'login by name',
      60,
      (about, n) =>
        post('login', { login: about === 'nobody' ? some() : somebody(n).username, password: 'not the one at all' }),
    ],
    [
      'login by address',
      60,
      (about, n) =>
        post('login', {
          login: about === 'nobody' ? `${some()}@example.org` : somebody(n).email,
          password: 'not the one at all',
        }),
    ],
    [
      'forgotten password',
      200,
      (about, n) =>
        post('password/forgot', { email: about === 'nobody' ? `${some()}@example.org` : somebody(n).email }),
    ],
    [
      'registration with an address',
      60,
      (about, n) =>
        post('register', {
          username: some(),
          email: about === 'nobody' ? `${some()}@example.org` : somebody(n).email,
          password: 'a long enough one',
        }),
    ],
  ];
  for (const [what, count, ask] of asks) rows.push(...(await compare(what, count, ask)));
  await stop(server);
  await town.end();
  return rows;
}

async function compare(what: string, count: number, ask: Ask): Promise<Row[]> {
  const times = { somebody: [] as number[], nobody: [] as number[] };
  for (let n = 0; n < count + 10; n++) {
    // Alternating, and each first in turn, so that drift affects both.
    const order = n % 2 === 0 ? (['somebody', 'nobody'] as const) : (['nobody', 'somebody'] as const);
    for (const about of order) {
      const startedMs = performance.now();
      await (await ask(about, n)).arrayBuffer();
      if (n >= 10) times[about].push(performance.now() - startedMs);
    }
  }
  const nobody = median(times.nobody);
  const longer = times.somebody.flatMap((left) =>
    times.nobody.map((right) => (left > right ? 1 : left === right ? 0.5 : 0)),
  );
  const chance = longer.reduce((sum: number, each) => sum + each, 0) / longer.length;
  return [
    { what: `${what}: nobody`, rate: nobody * 1000, ratio: 1 },
    {
      what: `${what}: somebody`,
      rate: median(times.somebody) * 1000,
      ratio: median(times.somebody) / nobody,
      note: `longer with a chance of ${chance.toFixed(2)}`,
    },
  ];
}

function median(values: readonly number[]): number {
  return values.toSorted((left, right) => left - right)[Math.floor(values.length / 2)]!;
}
