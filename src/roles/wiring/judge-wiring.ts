/** Where the chat role gets verdicts: processing instances, or the service of this process, then the local engine. */

import type { FindSenderFacts } from '../../chat/messages/sender-facts.ts';
import type { JudgeText } from '../../chat/rooms/room-texts.ts';
import { Failure } from '../../errors.ts';
import {
  createProcessingClient,
  type DraftText,
  type Judge,
  type Verdict,
} from '../../processing/client/processing-client.ts';
import { createProcessingInstance } from '../../processing/client/processing-instance.ts';
import { createNetworkTransport, type ProcessingTransport } from '../../processing/client/processing-transport.ts';
import { lookUpSenders } from '../../processing/client/sender-lookup.ts';
import { createFloodWatch } from '../../processing/engine/flood-watch.ts';
import { toSignSettings } from '../../processing/engine/text-engine.ts';
import type { TextEngine } from '../../processing/engine/text-task.ts';
import type { JudgeName, JudgeStatus } from '../../user/profile/user-service.ts';
import type { RoleContext } from '../lifecycle/role-lifecycle.ts';
import type { ChatMetrics } from './chat-metrics.ts';
import { watchFloods } from './flood-wiring.ts';

export interface JudgeOptions extends Pick<RoleContext, 'config' | 'outages'> {
  /** The engine of this process, the fallback of remote instances. */
  readonly localEngine: TextEngine | undefined;
  /** The processing service of this process, in role `all`. */
  readonly memoryTransport: ProcessingTransport | undefined;
  readonly metrics: ChatMetrics;
  readonly findSenderFacts: FindSenderFacts;
}

export interface JudgeWiring {
  readonly message: Judge;
  readonly text: JudgeText;
  readonly name: JudgeName;
  readonly status: JudgeStatus;
  /** How many of the processing instances answer, as text for people. */
  readonly state: () => string;
  /** Sends ordinary drafts until the engines and the connections to them are warm. Failures are reported as for any draft. */
  readonly warmUp: () => Promise<void>;
  readonly stop: () => void;
}

/** Largest response. */
const answerBytes = 16 * 1024 * 1024;
const firstPauseMs = 250;
/** Drafts of each round of the warm-up. The pace of sends grows with each round. */
const warmUpRounds = [32, 64, 64, 128, 128, 128];
/** A slow machine starts after this time, warm or not. */
const warmUpMaxMs = 3000;

export function createJudge({
  config,
  localEngine,
  memoryTransport,
  outages,
  metrics,
  findSenderFacts,
}: JudgeOptions): JudgeWiring {
  const { failuresToOpen, probePauseMax } = config.processing;
  const breaker = { failuresToOpen, pauseMs: Math.min(firstPauseMs, probePauseMax), pauseMaxMs: probePauseMax };
  const links = config.processing.url.map((url) => ({ name: url, ...createNetworkTransport(url, { answerBytes }) }));
  // Behind the in-process service is the local engine, so it needs neither a breaker nor a fallback.
  const isInProcess = links.length === 0 && memoryTransport !== undefined;
  const instances = (isInProcess ? [{ name: 'memory', ...memoryTransport }] : links).map((link) =>
    createProcessingInstance({
      ...link,
      token: config.processing.token,
      breaker: isInProcess ? { ...breaker, failuresToOpen: Number.POSITIVE_INFINITY } : breaker,
      probeTimeoutMs: config.moderation.timeout,
      onBreaker: (state) => metrics.breakers.set({ peer: link.name }, state === 'closed' ? 0 : 1),
      // The URL may hold a password.
      outage: outages.of(`processing instance ${URL.canParse(link.name) ? new URL(link.name).host : link.name}`),
    }),
  );
  let isWarm = false;
  const client = createProcessingClient({
    instances,
    isInProcess,
    ...(isInProcess ? {} : { local: localEngine }),
    settings: {
      timeoutMs: config.moderation.timeout,
      queueWaitMs: config.moderation.queueWait,
      attemptTimeoutMs: config.moderation.timeout * 0.4,
      batchMax: config.processing.batchMax * 2,
      batchWeightMax: 262_144,
      inFlightMax: 8,
      queueMax: config.message.sendQueueMax,
      fallback: config.moderation.fallback,
      retries: { share: config.moderation.retryShare, reserve: config.moderation.retryReserve },
    },
    events: {
      onVerdicts: (source, count) => isWarm && metrics.verdicts.inc({ source }, count),
      onRetries: (outcome, count) => metrics.verdictRetries.inc({ outcome }, count),
      onJudged: (milliseconds) => isWarm && metrics.judgeSeconds.observe(milliseconds / 1000),
    },
  });

  // The in-process engine has seen every draft of this process, so it watches for floods itself.
  const watched = watchFloods(client.judgeOne, memoryTransport ? undefined : createFloodWatch(config.moderation.flood));
  const judge = lookUpSenders(watched, findSenderFacts, toSignSettings(config.moderation.spam));

  async function warmUp(): Promise<void> {
    const untilMs = performance.now() + warmUpMaxMs;
    for (const count of warmUpRounds) {
      if (performance.now() > untilMs) break;
      const lines = Array.from({ length: count }, (_, n) => `Shall we meet at ${n}, or is that **too early** for you?`);
      // Without a sender and a room they count towards no flood.
      await Promise.allSettled(lines.map((text) => client.judgeOne({ key: 'warm-up', text, kind: 'message' })));
    }
    isWarm = true;
  }

  /** @param shown what the text is called in the refusal */
  async function requireAllowed(draft: DraftText, shown: string = draft.kind): Promise<void> {
    const verdict = await judge(draft);
    if (verdict.outcome === 'block') throw blocked(verdict, shown);
  }

  return {
    message: judge,
    text: (text, kind, actor, roomId) =>
      requireAllowed({
        key: `${kind} of ${actor.userId}`,
        text,
        kind,
        senderId: actor.userId,
        ...(roomId === undefined ? {} : { roomId }),
      }),
    name: (text, userId) =>
      requireAllowed({
        key: `name of ${userId || 'a new user'}`,
        text,
        kind: 'name',
        ...(userId ? { senderId: userId } : {}),
      }),
    // The engine has no kind of its own for it: like a topic, it is a line that many see.
    status: (text, userId) =>
      requireAllowed({ key: `status of ${userId}`, text, kind: 'topic', senderId: userId }, 'status'),
    state: () => {
      const up = instances.filter((instance) => instance.breaker.state() === 'closed').length;
      if (instances.length > 0)
        return `${up} of ${instances.length} up${up === 0 && localEngine ? ', local engine' : ''}`;
      return localEngine ? 'local engine' : 'none';
    },
    warmUp,
    stop: () => {
      client.stop();
      for (const instance of instances) instance.stop();
    },
  };
}

function blocked({ labels, spamScore }: Verdict, kind: string): Failure {
  return new Failure('message_blocked', `this ${kind} was refused by moderation`, { details: { labels, spamScore } });
}
