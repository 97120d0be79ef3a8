/** The features of a conversation beside messages and rooms: their services, routes and frames. */
import type { RoomTasks } from '../../jobs/runner/tasks.ts';
import type { ConversationOptions, Feature } from './conversation-options.ts';
import { startLater } from './later-wiring.ts';
import { startPolls } from './poll-wiring.ts';
import { startPresenceFeature } from './presence-wiring.ts';
import { createPreviews } from './preview-wiring.ts';
import { createReactions } from './reaction-wiring.ts';
import { startStreams } from './streams-wiring.ts';
import { createThreads } from './threads-wiring.ts';
import { startUploads } from './upload-wiring.ts';

export type ConversationWiring = Required<Omit<Feature, 'tasks'>> & { readonly tasks: RoomTasks };

export function startConversation(options: ConversationOptions): ConversationWiring {
  const uploads = startUploads(options);
  const features: readonly Feature[] = [
    ...[createThreads(options), createReactions(options), startLater(options), startPolls(options)],
    startPresenceFeature(options),
    uploads,
    startStreams(options),
    createPreviews(options, uploads.service),
  ];
  return {
    routes: async (v1) => {
      for (const { routes } of features) await routes?.(v1);
    },
    frames: Object.assign({}, ...features.map(({ frames }) => frames)) as ConversationWiring['frames'],
    tasks: Object.assign({}, ...features.map(({ tasks }) => tasks)) as RoomTasks,
    stop: async () => {
      for (const { stop } of features) await stop?.();
    },
  };
}
