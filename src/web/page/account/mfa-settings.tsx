/** What my login asks for beside the password: an authenticator app, passkeys, recovery codes. */
import { useEffect, useState } from 'preact/hooks';
import { explainRefusal } from '../../components/chat-store.ts';
import { useConfirm } from '../../components/confirm.tsx';
import { Field } from '../../components/field.tsx';
import { QrCode } from '../../components/qr-code.tsx';
import { SettingsForm } from '../../components/settings-form.tsx';
import type { SettingsProps } from './account-dialog.tsx';
import { explainPasskey, makePasskey, passkeysWork } from './passkey.ts';
import { RecoveryCodes } from './recovery-codes.tsx';
import { StepUp, stepUpOf } from './step-up.tsx';

interface Factor {
  readonly id: string;
  readonly kind: 'totp' | 'passkey';
  readonly name: string;
  readonly createdAt: string;
  readonly lastUsedAt: string | null;
}

interface Overview {
  readonly items: readonly Factor[];
  readonly recoveryCodesLeft: number;
}

const path = '/v1/users/me/second-factors';
const day = (time: string) => new Date(time).toLocaleDateString();

export function MfaSettings({ client }: SettingsProps) {
  const confirm = useConfirm();
  const [overview, setOverview] = useState<Overview>();
  const [begun, setBegun] = useState<{ secret: string; uri: string }>();
  const [codes, setCodes] = useState<readonly string[]>();
  const [problem, setProblem] = useState('');
  /** What waits for a step up. */
  const [waiting, setWaiting] = useState<{ methods: readonly string[]; work: () => Promise<void> }>();

  const load = async () => setOverview(await client.call<Overview>('GET', path));
  useEffect(() => {
    load().catch((error: unknown) => setProblem(explainRefusal(error)));
  }, [client]);

  async function work(step: () => Promise<void>): Promise<void> {
    setProblem('');
    setWaiting(undefined);
    try {
      await step();
      await load();
    } catch (error) {
      const methods = stepUpOf(error);
      if (methods) setWaiting({ methods, work: step });
      else setProblem(explainPasskey(error) ?? explainRefusal(error));
    }
  }

  const begin = () => work(async () => setBegun(await client.call('POST', `${path}/totp`)));
  const addPasskey = () => work(async () => setCodes((await makePasskey(client, passkeyName())) ?? undefined));
  async function remove({ id, name, kind }: Factor): Promise<void> {
    const words = `You can no longer log in with ${kind === 'passkey' ? 'this passkey' : 'codes of this app'}. To use it again you have to add it again.`;
    if (await confirm({ title: `Remove ${name}?`, words, action: 'Remove' }))
      await work(() => client.call('DELETE', `${path}/${encodeURIComponent(id)}`));
  }
  async function renew(): Promise<void> {
    const words = 'The recovery codes you have now stop working.';
    if (!(await confirm({ title: 'Make new recovery codes?', words, action: 'Make new codes' }))) return;
    await work(async () => {
      const { recoveryCodes } = await client.call<{ recoveryCodes: string[] }>('POST', `${path}/recovery-codes`);
      setCodes(recoveryCodes);
    });
  }

  if (!overview) return <p>{problem || 'Loading …'}</p>;
  if (codes) return <RecoveryCodes codes={codes} onKept={() => setCodes(undefined)} />;
  if (waiting) return <StepUp client={client} methods={waiting.methods} onDone={() => void work(waiting.work)} />;
  if (begun)
    return (
      <SettingsForm
        title="Set up an authenticator app"
        action="Turn on"
        onBack={() => setBegun(undefined)}
        onSubmit={async (field) => {
          const { recoveryCodes } = await client.call<{ recoveryCodes: string[] | null }>(
            'POST',
            `${path}/totp/confirm`,
            { code: field('code').replace(/\s/g, '') },
          );
          setBegun(undefined);
          setCodes(recoveryCodes ?? undefined);
          await load();
          return '';
        }}
      >
        <p>Scan this with your authenticator app, or type the key into it. Then enter the code that it shows.</p>
        <QrCode text={begun.uri} label="QR code for the authenticator app" />
        <p class="key">
          <span class="hint">Key</span> <code>{begun.secret.match(/.{1,4}/g)!.join(' ')}</code>
        </p>
        <Field label="Code" name="code" inputMode="numeric" autoComplete="one-time-code" />
      </SettingsForm>
    );

  const hasApp = overview.items.some(({ kind }) => kind === 'totp');
  return (
    <section class="settings-form" aria-label="Second step">
      <h3>Second step</h3>
      <p class="hint">
        {overview.items.length > 0
          ? 'Your password alone does not open your account: one of these is asked for as well.'
          : 'With a second step your password alone does not open your account.'}
      </p>
      <ul class="entries">
        {overview.items.map((factor) => (
          <li key={factor.id}>
            <span>
              <strong>{factor.name}</strong>
              <span class="hint">
                {factor.kind === 'passkey' ? 'Passkey' : 'One-time codes'} · since {day(factor.createdAt)}
                {factor.lastUsedAt && ` · last used ${day(factor.lastUsedAt)}`}
              </span>
            </span>
            <button type="button" onClick={() => void remove(factor)} aria-label={`Remove ${factor.name}`}>
              Remove
            </button>
          </li>
        ))}
      </ul>
      {problem && (
        <p class="problem" role="alert">
          {problem}
        </p>
      )}
      <div class="row">
        {!hasApp && (
          <button type="button" onClick={() => void begin()}>
            Add authenticator app
          </button>
        )}
        {passkeysWork && (
          <button type="button" onClick={() => void addPasskey()}>
            Add passkey
          </button>
        )}
      </div>
      {overview.items.length > 0 && (
        <p class="hint">
          {overview.recoveryCodesLeft} recovery codes are left.{' '}
          <button type="button" class="link" onClick={() => void renew()}>
            Make new ones
          </button>
        </p>
      )}
    </section>
  );
}

/** What the passkey is called in the list until its owner knows better. */
function passkeyName(): string {
  const platform = /Android|iPhone|iPad|Macintosh|Windows|Linux/.exec(navigator.userAgent)?.[0] ?? 'this device';
  return `Passkey on ${platform === 'Macintosh' ? 'Mac' : platform}`;
}
