/** What people add to messages. Each feature brings a source of what it shows, and a writer where a send brings it. */
import type { PartsWriter } from '../../chat/events/append-with-parts.ts';
import { createExtrasLoader, type ExtrasLoader, type ExtrasSource } from '../../chat/messages/extras-loader.ts';
import type { Database } from '../../database/connect.ts';

export interface MessageParts {
  readonly extras: ExtrasLoader;
  readonly writers: readonly PartsWriter[];
}

export function createMessageParts(db: Database): MessageParts {
  const sources: readonly ExtrasSource[] = [];
  const writers: readonly PartsWriter[] = [];
  return { extras: createExtrasLoader(db, sources), writers };
}
