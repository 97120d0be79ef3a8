/**
 * What is known of a user's presence. Each instance contributes the best status of the user's devices that are connected to it. The
 * user's status is the best of all contributions.
 */
import { createHash } from 'node:crypto';

/** What a device says of its user. */
export type DeviceStatus = 'online' | 'away' | 'dnd';
export type PresenceStatus = DeviceStatus | 'offline';

/** What one instance knows of one user. */
export interface Contribution {
  readonly status: DeviceStatus;
  /** The last device has closed, and the grace has not passed: it counts only if no other instance has a device of the user. */
  readonly leaving: boolean;
}

/** Best first. Somebody who asks not to be disturbed is there; somebody away is not. */
const bestFirst: readonly DeviceStatus[] = ['online', 'dnd', 'away'];
const codes: Readonly<Record<DeviceStatus, string>> = { online: 'o', dnd: 'd', away: 'a' };
const byCode = new Map(Object.entries(codes).map(([status, code]) => [code, status as DeviceStatus]));

export function bestOf(statuses: Iterable<DeviceStatus>): DeviceStatus | undefined {
  let best = bestFirst.length;
  for (const status of statuses) best = Math.min(best, bestFirst.indexOf(status));
  return bestFirst[best];
}

/** @returns the user's status by the contributions of all instances */
export function combine(contributions: readonly Contribution[]): PresenceStatus {
  const present = contributions.filter(({ leaving }) => !leaving);
  return bestOf((present.length > 0 ? present : contributions).map(({ status }) => status)) ?? 'offline';
}

/** A contribution as a text of a few bytes; empty for none. Capital letters are those that leave. */
export function encodeContribution(contribution: Contribution | undefined): string {
  if (!contribution) return '';
  const code = codes[contribution.status];
  return contribution.leaving ? code.toUpperCase() : code;
}

/** @returns undefined for none, and for a text of a newer version that this one cannot read */
export function decodeContribution(code: string): Contribution | undefined {
  const status = byCode.get(code.toLowerCase());
  return status && { status, leaving: code !== code.toLowerCase() };
}

/** Names a user in Redis, so that it holds no user ids. 128 bits of the hash are enough, and shorter than an id. */
export function presenceKey(userId: string): string {
  return createHash('sha256').update(userId).digest('base64url').slice(0, 22);
}
