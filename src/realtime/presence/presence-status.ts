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
  /**
   * When the last device closed, milliseconds since 1970, while the grace has not passed: then it counts only if no other instance has
   * a device of the user. Undefined: a device is connected.
   */
  readonly leftAtMs: number | undefined;
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
  const present = contributions.filter(({ leftAtMs }) => leftAtMs === undefined);
  if (present.length > 0) return bestOf(present.map(({ status }) => status))!;
  // The last device to leave leaves the status that was shown until then.
  let last: Contribution | undefined;
  for (const each of contributions) if (each.leftAtMs! > (last?.leftAtMs ?? 0)) last = each;
  return last?.status ?? 'offline';
}

const noneCode = '-';

/**
 * A contribution as a text of a few bytes, such as `o17`, `-18` for none, or `d19:mh2k1x0a` for one that leaves.
 * @param version grows with each change by the same instance
 */
export function encodeContribution(contribution: Contribution | undefined, version: number): string {
  if (!contribution) return `${noneCode}${version}`;
  const { status, leftAtMs } = contribution;
  return `${codes[status]}${version}${leftAtMs === undefined ? '' : `:${leftAtMs.toString(36)}`}`;
}

export function isNone(value: string): boolean {
  return value.startsWith(noneCode);
}

/** The contribution is undefined for none, and for a code of a newer build that this one does not know. */
export function decodeContribution(value: string): { contribution: Contribution | undefined; version: number } {
  const [head = '', left] = value.split(':');
  const status = byCode.get(head.slice(0, 1));
  const leftAtMs = left === undefined ? undefined : Number.parseInt(left, 36);
  return { contribution: status && { status, leftAtMs }, version: Number(head.slice(1)) };
}

/** Names a user in Redis, so that it holds no user ids. 128 bits of the hash are enough, and shorter than an id. */
export function presenceKey(userId: string): string {
  return createHash('sha256').update(userId).digest('base64url').slice(0, 22);
}
