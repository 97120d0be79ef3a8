/**
 * What features add to messages: a source of what a message shows, a writer where a send brings it, and how it is erased
 * and exported. It exists before rooms and messages do, because reading and writing messages needs it.
 */
import type { PartsWriter } from '../../chat/events/append-with-parts.ts';
import { createExtrasLoader, type ExtrasLoader, type ExtrasSource } from '../../chat/messages/extras-loader.ts';
import { createThreadPersonalData } from '../../chat/threads/thread-personal-data.ts';
import { threadSource } from '../../chat/threads/thread-source.ts';
import type { Database } from '../../database/connect.ts';
import type { PersonalData } from '../../database/personal-data.ts';

export interface MessageParts {
  readonly extras: ExtrasLoader;
  readonly writers: readonly PartsWriter[];
  readonly personalData: readonly PersonalData[];
}

export function createMessageParts(db: Database): MessageParts {
  const sources: readonly ExtrasSource[] = [threadSource];
  const writers: readonly PartsWriter[] = [];
  const personalData: readonly PersonalData[] = [createThreadPersonalData(db)];
  return { extras: createExtrasLoader(db, sources), writers, personalData };
}
