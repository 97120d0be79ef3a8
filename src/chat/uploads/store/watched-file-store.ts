/** A file store whose failures are logged as an outage and counted. */
import type { Readable } from 'node:stream';
import type { Counter } from 'prom-client';
import { Failure } from '../../../errors.ts';
import type { Outage } from '../../../logger/outages.ts';
import type { FileStore } from './file-store.ts';

export function watchStore(store: FileStore, outage: Outage, failures: Counter<'operation'>): FileStore {
  async function watch<Value>(operation: string, work: () => Promise<Value>): Promise<Value> {
    try {
      const value = await work();
      outage.ended();
      return value;
    } catch (error) {
      if (!(error instanceof Failure) || error.code === 'unavailable') {
        failures.inc({ operation });
        outage.failed(error instanceof Failure ? (error.cause ?? error) : error);
      }
      throw error;
    }
  }

  return {
    put: (key, path, file) => watch('put', () => store.put(key, path, file)),
    open: (key, range) => watch<Readable>('open', () => store.open(key, range)),
    remove: (key) => watch('remove', () => store.remove(key)),
    stop: store.stop,
  };
}
