/**
 * Hints over Redis Pub/Sub. Rooms and users are spread over a fixed number of channels (`SPUBLISH` in a cluster);
 * an instance subscribes to those its sockets need. A batch of commits is one publish per channel it touches.
 *
 * The subscriber link is proved end to end: a probe is published and must come back, because a half-open TCP
 * connection to Redis shows no error for minutes. A silent link is thrown away and made anew.
 *
 * States: up (the last probe came back) ⇄ down (no probe came back in time; nothing is published meanwhile).
 */
import { createHash, randomUUID } from 'node:crypto';
import type { RedisOptions } from 'ioredis';
import type { Logger } from 'pino';
import type { Counter, Gauge } from 'prom-client';
import type { Outages } from '../../logger/outages.ts';
import { isRefusal, openRedisLink, type RedisLink, redisOutage, SilentLink } from '../../redis-link.ts';
import type { EventHint, HintListener, Hints, JoinHint } from './hints.ts';

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

export function createRedisHints({
  settings,
  logger,
  outages,
  metrics,
  logId,
}: {
  settings: RedisHintsSettings;
  logger: Logger;
  outages: Outages;
  metrics: RedisHintsMetrics;
  /** Names the log that this instance's events are of; those of another log are not taken. */
  logId: () => string;
}): Hints {
  const instance = randomUUID();
  // Apart: the rights to each of them may be missing alone, and the test message uses a channel of its own.
  const outage = redisOutage(outages, 'hints');
  const publishing = redisOutage(outages, 'publishing hints');
  const subscribing = redisOutage(outages, 'subscribing to hints');
  const followed = new Map<string, number>();
  const probeChannel = `${settings.prefix}:probe:${instance}`;
  /** What concerns every instance. */
  const commonChannel = `${settings.prefix}:revoked`;
  let listener: HintListener | undefined;
  let onPeerHealth = () => {};
  let up = false;
  /** The link broke since the last probe came back. */
  let torn = false;
  let stopped = false;
  let inFlight = 0;
  let lastProbeBack = performance.now();
  let subscriberSince = performance.now();

  /** Channels of the current subscriber that Redis has not confirmed. */
  const unconfirmed = new Set<string>();
  const publisher = connect({
    maxRetriesPerRequest: 1,
    commandTimeout: settings.commandTimeout,
    enableOfflineQueue: false,
  });
  let subscriber = subscribe();

  function connect(options: RedisOptions): RedisLink {
    return openRedisLink(settings, options, outage);
  }

  function subscribe(): RedisLink {
    // A link that comes back subscribes here again. The library would do it with a promise that nobody can catch, and the process
    // would end with a link that is thrown away meanwhile. In a cluster it catches them.
    const link = connect({ maxRetriesPerRequest: null, autoResubscribe: settings.cluster });
    link.on(settings.cluster ? 'smessage' : 'message', (channel: string, message: string) => receive(channel, message));
    link.on('close', () => {
      if (link === subscriber) torn = true;
    });
    link.on('ready', () => void subscribeAll(link));
    subscriberSince = performance.now();
    return link;
  }

  async function subscribeAll(link: RedisLink): Promise<void> {
    await subscribeTo(link, [probeChannel, commonChannel, ...followed.keys()]);
    // A probe sent before the subscription holds is lost; the next one might come when this link's time is up already.
    if (link === subscriber && !stopped) sendProbe();
  }

  /** What Redis does not confirm is asked for again with the next test of the link. */
  async function subscribeTo(link: RedisLink, channels: string[]): Promise<void> {
    const isCurrent = () => link === subscriber && !stopped;
    for (const channel of channels) unconfirmed.add(channel);
    try {
      // One slot per sharded subscription; plain Pub/Sub takes them all in one command.
      if (settings.cluster) await Promise.all(channels.map((channel) => link.ssubscribe(channel)));
      else await link.subscribe(...channels);
      if (!isCurrent()) return;
      for (const channel of channels) unconfirmed.delete(channel);
      if (unconfirmed.size === 0) subscribing.ended();
      if (up) listener?.onSubscribed();
    } catch (error) {
      if (isCurrent() && isRefusal(error)) subscribing.failed(error);
    }
  }

  function subscribeAgain(): void {
    const missing = [...unconfirmed].filter((channel) => isWanted(channel));
    unconfirmed.clear();
    if (missing.length > 0) void subscribeTo(subscriber, missing);
  }

  function isWanted(channel: string): boolean {
    return channel === probeChannel || channel === commonChannel || followed.has(channel);
  }

  async function unsubscribeFrom(link: RedisLink, channel: string): Promise<void> {
    try {
      await (settings.cluster ? link.sunsubscribe(channel) : link.unsubscribe(channel));
    } catch (error) {
      logger.debug({ error: (error as Error).message }, 'redis unsubscribe');
    }
  }

  function receive(channel: string, message: string): void {
    if (channel === probeChannel) {
      lastProbeBack = performance.now();
      outage.ended();
      if (up && !torn) return;
      up = true;
      torn = false;
      metrics.up.set(1);
      logger.info('hints flow');
      listener?.onLinkRestored();
      return;
    }
    const [head, ...lines] = message.split('\n') as [string, ...string[]];
    const [origin, kind, first = '', second = '', third = ''] = head.split(' ') as [
      string,
      string,
      string?,
      string?,
      string?,
    ];
    if (origin === instance || !listener) return;
    metrics.received.inc();
    // A build that does not name its log sends none.
    if (kind === 'events') {
      if (first === '' || first === logId()) receiveEvents(lines, listener);
    } else if (kind === 'joined') listener.onJoin({ userId: first, roomId: second, seq: Number(third) });
    else if (kind === 'room')
      listener.onRoomSignal(first, lines.join('\n'), [second, ...third.split(',').filter(Boolean)]);
    else if (kind === 'user') listener.onUserSignal(first, lines.join('\n'));
    else if (kind === 'revoked') listener.onRevocation();
    else if (kind === 'healthy') onPeerHealth();
    // Anything else is of a newer build: hints may be ignored.
  }

  /** Lines: `roomId firstSeq count`, then that many events; JSON holds no line breaks. */
  function receiveEvents(lines: readonly string[], to: HintListener): void {
    for (let at = 0; at < lines.length; ) {
      const [roomId = '', firstSeq = '', count = ''] = lines[at]!.split(' ');
      const end = at + 1 + Number(count);
      if (!(end <= lines.length) || !(Number(firstSeq) > 0)) return;
      to.onEvents({ roomId, firstSeq: Number(firstSeq), events: lines.slice(at + 1, end) });
      at = end;
    }
  }

  function publish(channel: string, message: string): void {
    if (stopped || !up || inFlight >= settings.publishQueueMax) {
      metrics.dropped.inc();
      return;
    }
    inFlight += 1;
    metrics.published.inc();
    const sent = settings.cluster ? publisher.spublish(channel, message) : publisher.publish(channel, message);
    sent
      .then(publishing.ended, (error: unknown) => {
        metrics.dropped.inc();
        if (isRefusal(error)) publishing.failed(error);
      })
      .finally(() => {
        inFlight -= 1;
      });
  }

  function probe(): void {
    const silentMs = performance.now() - Math.max(lastProbeBack, subscriberSince);
    if (silentMs > settings.probeTimeout) {
      outage.failed(new SilentLink(`no test message came back in ${Math.round(silentMs)} ms`));
      up = false;
      metrics.up.set(0);
      const silent = subscriber;
      unconfirmed.clear();
      subscriber = subscribe();
      silent.disconnect();
    } else if (unconfirmed.size > 0 && subscriber.status === 'ready') subscribeAgain();
    sendProbe();
  }

  function sendProbe(): void {
    const sent = settings.cluster
      ? publisher.spublish(probeChannel, instance)
      : publisher.publish(probeChannel, instance);
    sent.catch(outage.failed);
  }

  function follow(channel: string): void {
    const count = followed.get(channel) ?? 0;
    followed.set(channel, count + 1);
    if (count === 0) void subscribeTo(subscriber, [channel]);
  }

  function unfollow(channel: string): void {
    const count = (followed.get(channel) ?? 0) - 1;
    if (count > 0) followed.set(channel, count);
    else if (followed.delete(channel)) void unsubscribeFrom(subscriber, channel);
  }

  const roomChannel = (roomId: string) => `${settings.prefix}:room:${shardOf(roomId, settings.shards)}`;
  const userChannel = (userId: string) => `${settings.prefix}:user:${shardOf(userId, settings.shards)}`;

  function announceEvents(hints: readonly EventHint[]): void {
    const byChannel = new Map<string, string[]>();
    for (const hint of hints) {
      const channel = roomChannel(hint.roomId);
      const lines = byChannel.get(channel) ?? [`${instance} events ${logId()}`];
      byChannel.set(channel, lines);
      lines.push(`${hint.roomId} ${hint.firstSeq} ${hint.events.length}`, ...hint.events);
    }
    for (const [channel, lines] of byChannel) publish(channel, lines.join('\n'));
  }

  const timer = setInterval(probe, settings.probeInterval);
  publisher.on('ready', probe);

  return {
    listen: (added) => {
      listener = added;
    },
    announceEvents,
    announceJoin: ({ userId, roomId, seq }: JoinHint) =>
      publish(userChannel(userId), `${instance} joined ${userId} ${roomId} ${seq}`),
    signalRoom: (roomId, json, [first = '', ...others]) =>
      // An instance of an older build reads the first one only.
      publish(roomChannel(roomId), `${instance} room ${roomId} ${first} ${others.join(',')}\n${json}`),
    signalUser: (userId, json) => publish(userChannel(userId), `${instance} user ${userId}\n${json}`),
    announceRevocation: () => publish(commonChannel, `${instance} revoked`),
    announceHealth: () => publish(commonChannel, `${instance} healthy`),
    onPeerHealth: (added) => {
      onPeerHealth = added;
    },
    followRoom: (roomId) => follow(roomChannel(roomId)),
    unfollowRoom: (roomId) => unfollow(roomChannel(roomId)),
    followUser: (userId) => follow(userChannel(userId)),
    unfollowUser: (userId) => unfollow(userChannel(userId)),
    state: () => (up ? 'up' : 'down'),
    stop: async () => {
      stopped = true;
      clearInterval(timer);
      publisher.disconnect();
      subscriber.disconnect();
    },
  };
}
