/** The devices that I am logged in on. */
import { useEffect, useState } from 'preact/hooks';
import { useAttempt } from '../../components/attempt.ts';
import { useConfirm } from '../../components/confirm.tsx';
import { Refusal } from '../../components/refusal.tsx';
import type { SettingsProps } from './settings-props.ts';

interface Device {
  readonly id: string;
  readonly userAgent: string | null;
  readonly address: string | null;
  readonly lastUsedAt: string;
  readonly current: boolean;
}

export function DeviceSettings({ client }: SettingsProps) {
  const confirm = useConfirm();
  const [devices, setDevices] = useState<readonly Device[]>();
  const { problem, attempt } = useAttempt();

  const load = async () =>
    setDevices((await client.call<{ items: readonly Device[] }>('GET', '/v1/users/me/sessions')).items);
  useEffect(() => void attempt(load), [client]);
  const end = (sessions: string) =>
    attempt(async () => {
      await client.call('DELETE', `/v1/users/me/sessions${sessions}`);
      await load();
    });

  async function endOne({ id, userAgent }: Device): Promise<void> {
    const words = 'That device has to log in again. Texts that were written there and not sent may be lost.';
    if (await confirm({ title: `Log out ${describeAgent(userAgent)}?`, words, action: 'Log out' })) await end(`/${id}`);
  }
  async function endOthers(): Promise<void> {
    const words = 'All your other devices have to log in again.';
    if (await confirm({ title: 'Log out everywhere else?', words, action: 'Log out' })) await end('?keep=current');
  }
  const sorted = [...(devices ?? [])].sort((left, right) => Number(right.current) - Number(left.current));
  return (
    <section class="settings-form" aria-label="Devices">
      <h3>Where you are logged in</h3>
      <ul class="entries">
        {sorted.map((device) => (
          <li key={device.id}>
            <span>
              <strong>{describeAgent(device.userAgent)}</strong>
              <span class="hint">
                {device.current ? 'This device' : `Last used ${new Date(device.lastUsedAt).toLocaleString()}`}
                {device.address && ` · ${device.address}`}
              </span>
            </span>
            {!device.current && (
              <button
                type="button"
                aria-label={`Log out ${describeAgent(device.userAgent)}`}
                onClick={() => void endOne(device)}
              >
                Log out
              </button>
            )}
          </li>
        ))}
      </ul>
      <Refusal words={problem} />
      {sorted.length > 1 && (
        <div class="row">
          <button type="button" onClick={() => void endOthers()}>
            Log out everywhere else
          </button>
        </div>
      )}
    </section>
  );
}

/** The name of a browser and its system, as far as it tells them. */
function describeAgent(userAgent: string | null): string {
  if (userAgent === null) return 'An application';
  const browsers = [
    ['Edge', /Edg\//],
    ['Opera', /OPR\//],
    ['Firefox', /Firefox\//],
    ['Chrome', /Chrom(?:e|ium)\//],
    ['Safari', /Safari\//],
  ] as const;
  const browser = browsers.find(([, pattern]) => pattern.test(userAgent))?.[0];
  const system = /Android|iPhone|iPad|Windows|Mac OS X|Linux/.exec(userAgent)?.[0].replace('Mac OS X', 'macOS');
  if (!browser) return userAgent.split(/[\s/]/)[0] || 'An application';
  return system ? `${browser} on ${system}` : browser;
}
