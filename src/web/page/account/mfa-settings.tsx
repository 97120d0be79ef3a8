/** Two-factor authentication of my account: an authenticator app, passkeys, recovery codes. */
import { useEffect, useState } from 'preact/hooks';
import { useConfirm } from '../../components/confirm.tsx';
import { makePasskey, passkeysWork } from '../../components/passkey.ts';
import { Refusal } from '../../components/refusal.tsx';
import { RecoveryCodes } from './recovery-codes.tsx';
import type { SettingsProps } from './settings-props.ts';
import { useStepUp } from './step-up.tsx';
import { type BegunTotp, TotpSetup } from './totp-setup.tsx';

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
  const [begun, setBegun] = useState<BegunTotp>();
  const [codes, setCodes] = useState<readonly string[]>();
  const { problem, attempt, stepUp } = useStepUp(client);

  const load = async () => setOverview(await client.call<Overview>('GET', path));
  useEffect(() => void attempt(load), [client]);
  const change = (work: () => Promise<unknown>) =>
    attempt(async () => {
      await work();
      await load();
    });

  async function remove({ id, name, kind }: Factor): Promise<void> {
    const what = kind === 'passkey' ? 'this passkey' : 'codes of this app';
    const words = `You can no longer log in with ${what}. To use it again you have to add it again.`;
    if (await confirm({ title: `Remove ${name}?`, words, action: 'Remove' }))
      await change(() => client.call('DELETE', `${path}/${encodeURIComponent(id)}`));
  }
  async function renewCodes(): Promise<void> {
    const words = 'The recovery codes you have now stop working.';
    if (!(await confirm({ title: 'Make new recovery codes?', words, action: 'Make new codes' }))) return;
    await change(async () => {
      const { recoveryCodes } = await client.call<{ recoveryCodes: string[] }>('POST', `${path}/recovery-codes`);
      setCodes(recoveryCodes);
    });
  }

  if (!overview) return <p>{problem || 'Loading …'}</p>;
  if (codes) return <RecoveryCodes codes={codes} onKept={() => setCodes(undefined)} />;
  if (stepUp) return stepUp;
  if (begun)
    return (
      <TotpSetup
        client={client}
        begun={begun}
        onBack={() => setBegun(undefined)}
        onDone={async (recoveryCodes) => {
          setBegun(undefined);
          setCodes(recoveryCodes);
          await load();
        }}
      />
    );
  return (
    <section class="settings-form" aria-label="Two-factor authentication">
      <h3>Two-factor authentication</h3>
      <FactorList factors={overview.items} onRemove={(factor) => void remove(factor)} />
      <Refusal words={problem} />
      <AddFactorButtons
        hasApp={overview.items.some(({ kind }) => kind === 'totp')}
        onAddApp={() => void change(async () => setBegun(await client.call('POST', `${path}/totp`)))}
        onAddPasskey={() => void change(async () => setCodes((await makePasskey(client, passkeyName())) ?? undefined))}
      />
      {overview.items.length > 0 && (
        <p class="hint">
          {overview.recoveryCodesLeft} recovery codes are left.{' '}
          <button type="button" class="link" onClick={() => void renewCodes()}>
            Make new ones
          </button>
        </p>
      )}
    </section>
  );
}

function FactorList({ factors, onRemove }: { factors: readonly Factor[]; onRemove: (factor: Factor) => void }) {
  return (
    <>
      <p class="hint">
        {factors.length > 0
          ? 'Your password alone does not open your account. A login needs one of these as well.'
          : 'With two-factor authentication your password alone does not open your account.'}
      </p>
      <ul class="entries">
        {factors.map((factor) => (
          <li key={factor.id}>
            <span>
              <strong>{factor.name}</strong>
              <span class="hint">
                {factor.kind === 'passkey' ? 'Passkey' : 'One-time codes'} · since {day(factor.createdAt)}
                {factor.lastUsedAt && ` · last used ${day(factor.lastUsedAt)}`}
              </span>
            </span>
            <button type="button" onClick={() => onRemove(factor)} aria-label={`Remove ${factor.name}`}>
              Remove
            </button>
          </li>
        ))}
      </ul>
    </>
  );
}

function AddFactorButtons({
  hasApp,
  onAddApp,
  onAddPasskey,
}: {
  hasApp: boolean;
  onAddApp: () => void;
  onAddPasskey: () => void;
}) {
  return (
    <div class="row">
      {!hasApp && (
        <button type="button" onClick={onAddApp}>
          Add authenticator app
        </button>
      )}
      {passkeysWork && (
        <button type="button" onClick={onAddPasskey}>
          Add passkey
        </button>
      )}
    </div>
  );
}

/** A name for a new passkey in the list. */
function passkeyName(): string {
  const platform = /Android|iPhone|iPad|Macintosh|Windows|Linux/.exec(navigator.userAgent)?.[0] ?? 'this device';
  return `Passkey on ${platform === 'Macintosh' ? 'Mac' : platform}`;
}
