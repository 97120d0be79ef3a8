/**
 * The users whose devices are connected to this instance, and what the devices say.
 *
 * A user is: absent → present (at least one device) → leaving (the last device has closed) → absent, when the grace has passed, or
 * present again. A device that comes back within the grace takes over the last status, so a reconnect changes nothing.
 */
import { bestOf, type Contribution, type DeviceStatus } from './presence-status.ts';

/** An open socket, by identity. */
export interface Device {
  readonly user: { readonly userId: string } | undefined;
}

export interface DevicePresence {
  readonly add: (device: Device) => void;
  readonly remove: (device: Device) => void;
  /** Nothing happens if the device has closed. */
  readonly set: (device: Device, status: DeviceStatus) => void;
  readonly of: (userId: string) => Contribution | undefined;
  readonly userIds: () => Iterable<string>;
  readonly stop: () => void;
}

interface OwnUser {
  readonly devices: Map<Device, DeviceStatus>;
  /** The contribution as it was told last. */
  told: Contribution;
  leave: NodeJS.Timeout | undefined;
}

export function createDevicePresence({
  graceMs,
  onChange,
}: {
  graceMs: number;
  /** Called after each change of a user's contribution. */
  onChange: (userId: string) => void;
}): DevicePresence {
  const users = new Map<string, OwnUser>();

  function add(device: Device): void {
    const { userId } = device.user!;
    const known = users.get(userId);
    const isComingBack = known !== undefined && known.devices.size === 0;
    const status = isComingBack ? known.told.status : 'online';
    if (known) {
      clearTimeout(known.leave);
      known.leave = undefined;
      known.devices.set(device, status);
      tell(userId, known);
      return;
    }
    users.set(userId, {
      devices: new Map([[device, status]]),
      told: { status, leftAtMs: undefined },
      leave: undefined,
    });
    onChange(userId);
  }

  function remove(device: Device): void {
    const userId = device.user?.userId;
    const own = userId === undefined ? undefined : users.get(userId);
    if (!own?.devices.delete(device)) return;
    if (own.devices.size === 0) {
      own.leave = setTimeout(() => {
        users.delete(userId!);
        onChange(userId!);
      }, graceMs);
    }
    tell(userId!, own);
  }

  function set(device: Device, status: DeviceStatus): void {
    const own = users.get(device.user!.userId);
    if (!own?.devices.has(device)) return;
    own.devices.set(device, status);
    tell(device.user!.userId, own);
  }

  function tell(userId: string, own: OwnUser): void {
    const leftAtMs = own.devices.size === 0 ? Date.now() : undefined;
    const status = bestOf(own.devices.values()) ?? own.told.status;
    if (status === own.told.status && leftAtMs === own.told.leftAtMs) return;
    own.told = { status, leftAtMs };
    onChange(userId);
  }

  return {
    add,
    remove,
    set,
    of: (userId) => users.get(userId)?.told,
    userIds: () => users.keys(),
    stop: () => {
      for (const { leave } of users.values()) clearTimeout(leave);
    },
  };
}
