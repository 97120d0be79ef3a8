/**
 * The link to Redis that receives hints. It holds the subscriptions of this instance, over every reconnect and over its own
 * replacement by a new link.
 *
 * A channel is: wanted (it is followed) → unconfirmed (the command is under way, or was refused) → subscribed.
 */
import type { Logger } from 'pino';
import type { Outage } from '../../logger/outages.ts';
import { isRefusal, type RedisLink } from '../../redis-link.ts';

export interface RedisSubscriber {
  /** Counted: a channel is subscribed while it has at least one follower. */
  readonly follow: (channel: string) => void;
  readonly unfollow: (channel: string) => void;
  /** Subscribes again to channels that Redis has not confirmed. */
  readonly retryUnconfirmed: () => void;
  /** Throws the link away and opens another one. */
  readonly replace: () => void;
  /** When the present link was opened, by the monotonic clock. */
  readonly sinceMs: () => number;
  readonly stop: () => void;
}

export function createRedisSubscriber({
  openLink,
  cluster,
  ownChannels,
  onMessage,
  onBroken,
  onReady,
  onSubscribed,
  outage,
  logger,
}: {
  openLink: () => RedisLink;
  cluster: boolean;
  /** Channels that are always subscribed. */
  ownChannels: readonly string[];
  onMessage: (channel: string, text: string) => void;
  /** The present link has lost its connection. */
  onBroken: () => void;
  /** The present link has a connection, and all channels were subscribed on it. */
  onReady: () => void;
  /** Channels are subscribed from now on. What was published before that may have been missed. */
  onSubscribed: (channels: readonly string[]) => void;
  /** The outage of subscribing alone: the rights to do so may be missing. */
  outage: Outage;
  logger: Logger;
}): RedisSubscriber {
  const followers = new Map<string, number>();
  const unconfirmed = new Set<string>();
  let stopped = false;
  let sinceMs = performance.now();
  let current = open();

  function open(): RedisLink {
    const link = openLink();
    link.on(cluster ? 'smessage' : 'message', onMessage);
    link.on('close', () => {
      if (link === current) onBroken();
    });
    link.on('ready', () => void subscribeAll(link));
    sinceMs = performance.now();
    return link;
  }

  async function subscribeAll(link: RedisLink): Promise<void> {
    await subscribeTo(link, [...ownChannels, ...followers.keys()]);
    if (link === current && !stopped) onReady();
  }

  /** Never rejects: what Redis does not confirm is asked for again by `retryUnconfirmed`. */
  async function subscribeTo(link: RedisLink, channels: readonly string[]): Promise<void> {
    const isCurrent = () => link === current && !stopped;
    for (const channel of channels) unconfirmed.add(channel);
    try {
      // In a cluster each channel has a slot of its own. Plain Pub/Sub takes all channels in one command.
      if (cluster) await Promise.all(channels.map((channel) => link.ssubscribe(channel)));
      else await link.subscribe(...channels);
      if (!isCurrent()) return;
      for (const channel of channels) unconfirmed.delete(channel);
      if (unconfirmed.size === 0) outage.ended();
      onSubscribed(channels);
    } catch (error) {
      if (isCurrent() && isRefusal(error)) outage.failed(error);
    }
  }

  async function unsubscribeFrom(link: RedisLink, channel: string): Promise<void> {
    try {
      await (cluster ? link.sunsubscribe(channel) : link.unsubscribe(channel));
    } catch (error) {
      logger.debug({ error: (error as Error).message }, 'redis unsubscribe');
    }
  }

  function retryUnconfirmed(): void {
    if (unconfirmed.size === 0 || current.status !== 'ready') return;
    const missing = [...unconfirmed].filter((channel) => ownChannels.includes(channel) || followers.has(channel));
    unconfirmed.clear();
    if (missing.length > 0) void subscribeTo(current, missing);
  }

  return {
    follow: (channel) => {
      const count = followers.get(channel) ?? 0;
      followers.set(channel, count + 1);
      if (count === 0) void subscribeTo(current, [channel]);
    },
    unfollow: (channel) => {
      const count = (followers.get(channel) ?? 0) - 1;
      if (count > 0) followers.set(channel, count);
      else if (followers.delete(channel)) void unsubscribeFrom(current, channel);
    },
    retryUnconfirmed,
    replace: () => {
      const old = current;
      unconfirmed.clear();
      current = open();
      old.disconnect();
    },
    sinceMs: () => sinceMs,
    stop: () => {
      stopped = true;
      current.disconnect();
    },
  };
}
