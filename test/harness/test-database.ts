/** A database of its own for a test file, cloned from the migrated template. */
import { inject } from 'vitest';
import { cloneDatabase, type TestDatabase } from './cloned-database.ts';

export type { TestDatabase } from './cloned-database.ts';

export function createDatabase(): Promise<TestDatabase> {
  return cloneDatabase(inject('postgresUrl'), inject('templateDatabase'));
}
