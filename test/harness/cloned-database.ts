import { randomBytes } from 'node:crypto';
import postgres from 'postgres';

export interface TestDatabase {
  readonly url: string;
  readonly drop: () => Promise<void>;
}

/** A new database with the tables of the template, which has been migrated. */
export async function cloneDatabase(postgresUrl: string, template: string): Promise<TestDatabase> {
  const name = `t_${randomBytes(8).toString('hex')}`;
  const admin = postgres(postgresUrl, { max: 1, onnotice: () => {} });
  await admin.unsafe(`create database ${name} template ${template} strategy file_copy`);
  return {
    url: postgresUrl.replace(/\/postgres$/, `/${name}`),
    drop: async () => {
      await admin.unsafe(`drop database ${name} with (force)`);
      await admin.end();
    },
  };
}
