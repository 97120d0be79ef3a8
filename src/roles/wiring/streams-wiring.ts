/** Messages that are written word by word. */
import { startSilentStreams } from '../../chat/streams/silent-streams.ts';
import { createStreamEnds } from '../../chat/streams/stream-end.ts';
import { streamFrames } from '../../chat/streams/stream-frames.ts';
import { findOver } from '../../chat/streams/stream-repository.ts';
import { streamRoutes } from '../../chat/streams/stream-routes.ts';
import { createStreamService } from '../../chat/streams/stream-service.ts';
import { createStreamStart } from '../../chat/streams/stream-start.ts';
import type { ConversationOptions, Feature } from './conversation-options.ts';

/** Silent streams that are ended at once. */
const endsMax = 50;
/** A look for silent streams in each sixth of the time that a writer may be silent. */
const looksPerIdle = 6;

export function startStreams(options: ConversationOptions): Feature {
  const { config, logger, connections, rooms, messages, callers, profiles, contact, judge } = options;
  const { db, sql } = connections;
  const { hub, eventLog, roomAccess } = rooms;
  const { streamIdle: idleMs, streamLifetime: lifetimeMs, streamJudgeEvery: judgeEveryMs, maxLength } = config.message;
  const shared = { sql, eventLog, contact, judge: judge.message, findMentioned: messages.findMentioned };
  const ends = createStreamEnds({
    ...{ ...shared, db, flags: messages.flags, findFeed: hub.feed, recordRefusal: messages.refusals.record },
    snapshot: options.parts.extras.snapshot,
    purge: options.parts.extras.purge,
    settings: { maxLength, idleMs, lifetimeMs },
  });
  const startStream = createStreamStart({
    ...{ ...shared, profiles, repository: messages.repository, follow: roomAccess.follow },
    ...{ loadedFeed: hub.loadedFeed, findFeed: hub.feed, admissionMs: config.message.admission },
  });
  const streams = createStreamService({
    ...{ ...shared, db, startStream, ends, logger, follow: roomAccess.follow },
    ...{ signalRoom: hub.signalRoom, signalUser: hub.signalUser, nowMs: eventLog.nowMs },
    settings: { maxLength, idleMs, lifetimeMs, judgeEveryMs },
  });
  const silent = startSilentStreams({
    findOver: () => findOver(sql, { idleMs, lifetimeMs, limit: endsMax }),
    endSilent: streams.endSilent,
    logger,
    pollMs: Math.max(50, idleMs / looksPerIdle),
  });
  return {
    routes: async (v1) => {
      await v1.register(streamRoutes, {
        streams,
        findStored: messages.messages.findStored,
        findRepeated: messages.messages.findRepeated,
        authenticator: callers.identities.authenticator,
        settings: { lifetimeMs, maxLength },
      });
    },
    frames: streamFrames(streams),
    stop: async () => {
      await Promise.all([silent.stop(), streams.stop()]);
    },
  };
}
