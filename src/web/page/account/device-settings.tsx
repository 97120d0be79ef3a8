/** Where I am logged in. */
import { useEffect, useState } from 'preact/hooks';
import { explainRefusal } from '../../components/chat-store.ts';
import { useConfirm } from '../../components/confirm.tsx';
import type { SettingsProps } from './account-dialog.tsx';

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
  const [problem, setProblem] = useState('');

  async function work(step: () => Promise<void>): Promise<void> {
    setProblem('');
    try {
      await step();
      setDevices((await client.call<{ items: readonly Device[] }>('GET', '/v1/users/me/sessions')).items);
    } catch (error) {
      setProblem(explainRefusal(error));
    }
  }
  useEffect(() => void work(async () => {}), [client]);

  async function end({ id, userAgent }: Device): Promise<void> {
    const words = 'That device has to log in again. What was being written there and not sent may be lost.';
    if (await confirm({ title: `Log out ${describeAgent(userAgent)}?`, words, action: 'Log out' }))
      await work(() => client.call('DELETE', `/v1/users/me/sessions/${id}`));
  }
  async function endOthers(): Promise<void> {
    const words = 'All your other devices have to log in again.';
    if (await confirm({ title: 'Log out everywhere else?', words, action: 'Log out' }))
      await work(() => client.call('DELETE', '/v1/users/me/sessions?keep=current'));
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
                onClick={() => void end(device)}
              >
                Log out
              </button>
            )}
          </li>
        ))}
      </ul>
      {problem && (
        <p class="problem" role="alert">
          {problem}
        </p>
      )}
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

/** A browser's name and system, as far as it tells. */
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
