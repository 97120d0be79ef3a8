/** The providers that log me in: linking another one, and unlinking one. */
import { useEffect, useState } from 'preact/hooks';
import type { ParleyClient } from '../../../client/parley-client.ts';
import { useConfirm } from '../../components/confirm.tsx';
import { Refusal } from '../../components/refusal.tsx';
import type { SettingsProps } from './settings-props.ts';
import { useStepUp } from './step-up.tsx';

interface Identity {
  readonly id: string;
  readonly provider: string | null;
  readonly issuer: string;
  readonly name: string | null;
}

interface Provider {
  readonly name: string;
  readonly label: string;
}

interface Linked {
  readonly identities: readonly Identity[];
  readonly providers: readonly Provider[];
}

/** Links the account at a provider that has just been proved, by the code that came back in the address. */
export async function finishLinking(client: ParleyClient, code: string): Promise<void> {
  await client.call('POST', '/v1/users/me/identities/link', { code });
}

async function readLinked(client: ParleyClient): Promise<Linked> {
  const [own, all] = await Promise.all([
    client.call<{ items: readonly Identity[] }>('GET', '/v1/users/me/identities'),
    client.callOpen<{ items: readonly Provider[] }>('GET', '/v1/auth/providers'),
  ]);
  return { identities: own.items, providers: all.items };
}

export function LinkedAccounts({ client }: SettingsProps) {
  const confirm = useConfirm();
  const [linked, setLinked] = useState<Linked>();
  const { problem, attempt, stepUp } = useStepUp(client);
  const load = async () => setLinked(await readLinked(client));
  useEffect(() => void attempt(load), [client]);

  const link = (provider: string) =>
    attempt(async () => {
      const returnTo = location.origin + location.pathname;
      const { url } = await client.call<{ url: string }>('POST', '/v1/users/me/identities', { provider, returnTo });
      location.assign(url);
    });
  async function unlink({ id }: Identity, label: string): Promise<void> {
    const words = `You can no longer log in to this account with ${label}, until you link it again.`;
    if (!(await confirm({ title: `Unlink ${label}?`, words, action: 'Unlink' }))) return;
    await attempt(async () => {
      await client.call('DELETE', `/v1/users/me/identities/${id}`);
      await load();
    });
  }

  if (stepUp) return stepUp;
  const { identities, providers } = linked ?? { identities: [], providers: [] };
  const labelOf = ({ provider, issuer }: Identity) =>
    providers.find(({ name }) => name === provider)?.label ?? provider ?? issuer;
  const addable = providers.filter(({ name }) => !identities.some(({ provider }) => provider === name));
  return (
    <section class="settings-form" aria-label="Linked accounts">
      <h3>Other login methods</h3>
      {linked && identities.length === 0 && <p class="hint">No account elsewhere is linked to this one.</p>}
      <ul class="entries">
        {identities.map((identity) => (
          <IdentityItem
            key={identity.id}
            identity={identity}
            label={labelOf(identity)}
            onUnlink={() => void unlink(identity, labelOf(identity))}
          />
        ))}
      </ul>
      <Refusal words={problem} />
      {addable.length > 0 && (
        <div class="row">
          {addable.map(({ name, label }) => (
            <button type="button" key={name} onClick={() => void link(name)}>
              Link {label}
            </button>
          ))}
        </div>
      )}
    </section>
  );
}

function IdentityItem({ identity, label, onUnlink }: { identity: Identity; label: string; onUnlink: () => void }) {
  return (
    <li>
      <span>
        <strong>{label}</strong>
        {identity.name && (
          <span class="hint">
            <bdi>{identity.name}</bdi>
          </span>
        )}
      </span>
      {identity.provider && (
        <button type="button" aria-label={`Unlink ${label}`} onClick={onUnlink}>
          Unlink
        </button>
      )}
    </li>
  );
}
