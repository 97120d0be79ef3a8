/**
 * Hints over Redis Pub/Sub. Rooms and users are spread over a fixed number of channels (`SPUBLISH` in a cluster). An instance
 * subscribes to those that its sockets need. A batch of commits is one publish per channel that it touches.
 */
import { createHash, randomUUID } from 'node:crypto';
import type { RedisOptions } from 'ioredis';
import type { Logger } from 'pino';
import type { Counter, Gauge } from 'prom-client';
import type { Outages } from '../../logger/outages.ts';
import { openRedisLink, redisOutage, SilentLink } from '../../redis-link.ts';
import { hintTexts, receiveHint } from './hint-codec.ts';
import type { EventHint, HintListener, Hints, PresenceListener } from './hints.ts';
import { createRedisLinkProbe, type RedisLinkProbe } from './redis-link-probe.ts';
import { createRedisPublisher } from './redis-publisher.ts';
import { createRedisSubscriber } from './redis-subscriber.ts';

export interface RedisHintsSettings {
  readonly url: string;
  readonly cluster: boolean;
  readonly prefix: string;
  readonly shards: number;
  readonly commandTimeout: number;
  readonly probeInterval: number;
  readonly probeTimeout: number;
  readonly publishQueueMax: number;
}

export interface RedisHintsMetrics {
  readonly published: Counter;
  readonly dropped: Counter;
  readonly received: Counter;
  readonly up: Gauge;
}

/** Which of the channels a room or a user belongs to; the same on every instance. */
export function shardOf(id: string, shards: number): number {
  return createHash('md5').update(id).digest().readUInt32BE(0) % shards;
}

interface RedisHintsOptions {
  readonly settings: RedisHintsSettings;
  readonly logger: Logger;
  readonly outages: Outages;
  readonly metrics: RedisHintsMetrics;
  /** Names the log that this instance's events are of. Events of another log are ignored. */
  readonly logId: () => string;
}

export function createRedisHints({ settings, logger, outages, metrics, logId }: RedisHintsOptions): Hints {
  const { prefix, cluster, shards } = settings;
  const origin = randomUUID();
  const probeChannel = `${prefix}:probe:${origin}`;
  /** Hints that concern every instance. */
  const commonChannel = `${prefix}:revoked`;
  const presenceChannel = `${prefix}:presence`;
  const roomChannel = (roomId: string) => `${prefix}:room:${shardOf(roomId, shards)}`;
  const userChannel = (userId: string) => `${prefix}:user:${shardOf(userId, shards)}`;
  const outage = redisOutage(outages, 'hints');
  const openLink = (options: RedisOptions) => openRedisLink(settings, options, outage);
  let listener: HintListener | undefined;
  let presence: PresenceListener | undefined;
  let onInstanceHealth = () => {};

  const publisherLink = openLink({
    maxRetriesPerRequest: 1,
    commandTimeout: settings.commandTimeout,
    enableOfflineQueue: false,
  });
  const publisher = createRedisPublisher({
    link: publisherLink,
    cluster,
    queueMax: settings.publishQueueMax,
    isUp: (): boolean => probe.isUp(),
    outage: redisOutage(outages, 'publishing hints'),
    metrics,
  });
  const sendProbe = () => void publisher.publishNow(probeChannel, origin).catch(outage.failed);
  const subscriber = createRedisSubscriber({
    // The library would subscribe again with a promise that nobody can catch, and a link that is replaced at that moment would end
    // the process. In a cluster it catches them.
    openLink: () => openLink({ maxRetriesPerRequest: null, autoResubscribe: cluster }),
    cluster,
    ownChannels: [probeChannel, commonChannel],
    onMessage: receive,
    onBroken: () => probe.onBroken(),
    // A probe sent before the subscription is lost, and the next one might come too late for this link.
    onReady: sendProbe,
    onSubscribed: (channels) => {
      if (!probe.isUp()) return;
      listener?.onSubscribed();
      if (channels.includes(presenceChannel)) presence?.onGap();
    },
    outage: redisOutage(outages, 'subscribing to hints'),
    logger,
  });
  const probe: RedisLinkProbe = createRedisLinkProbe({
    timeoutMs: settings.probeTimeout,
    sinceMs: subscriber.sinceMs,
    send: sendProbe,
    retryUnconfirmed: subscriber.retryUnconfirmed,
    onSilent: (silentMs) => {
      outage.failed(new SilentLink(`no test message came back in ${Math.round(silentMs)} ms`));
      metrics.up.set(0);
      subscriber.replace();
    },
    onFlowing: () => {
      metrics.up.set(1);
      logger.info('hints flow');
      listener?.onLinkRestored();
      presence?.onGap();
    },
  });

  function receive(channel: string, text: string): void {
    if (channel === probeChannel) {
      outage.ended();
      probe.onReturned();
    } else if (listener && receiveHint(text, { origin, logId, listener, onInstanceHealth, onPresence }))
      metrics.received.inc();
  }

  function onPresence(instance: string, text: string): void {
    presence?.onHint(instance, text);
  }

  function announcePresence(instance: string, news: string): number {
    const text = hintTexts.presence(origin, instance, news);
    publisher.publish(presenceChannel, text);
    return Buffer.byteLength(text);
  }

  function announceEvents(hints: readonly EventHint[]): void {
    const byChannel = Map.groupBy(hints, ({ roomId }) => roomChannel(roomId));
    for (const [channel, own] of byChannel) publisher.publish(channel, hintTexts.events(origin, logId(), own));
  }

  const timer = setInterval(probe.check, settings.probeInterval);
  publisherLink.on('ready', probe.check);

  return {
    listen: (added) => {
      listener = added;
    },
    announceEvents,
    announceJoin: (hint) => publisher.publish(userChannel(hint.userId), hintTexts.joined(origin, hint)),
    signalRoom: (signal) => publisher.publish(roomChannel(signal.roomId), hintTexts.roomSignal(origin, signal)),
    signalUser: (userId, json) => publisher.publish(userChannel(userId), hintTexts.userSignal(origin, userId, json)),
    announceRevocation: () => publisher.publish(commonChannel, hintTexts.revoked(origin)),
    announceHealth: () => publisher.publish(commonChannel, hintTexts.healthy(origin)),
    announcePresence,
    onPresence: (added) => {
      presence = added;
    },
    followPresence: () => subscriber.follow(presenceChannel),
    unfollowPresence: () => subscriber.unfollow(presenceChannel),
    onInstanceHealth: (added) => {
      onInstanceHealth = added;
    },
    followRoom: (roomId) => subscriber.follow(roomChannel(roomId)),
    unfollowRoom: (roomId) => subscriber.unfollow(roomChannel(roomId)),
    followUser: (userId) => subscriber.follow(userChannel(userId)),
    unfollowUser: (userId) => subscriber.unfollow(userChannel(userId)),
    state: () => (probe.isUp() ? 'up' : 'down'),
    stop: async () => {
      clearInterval(timer);
      publisher.stop();
      subscriber.stop();
    },
  };
}
