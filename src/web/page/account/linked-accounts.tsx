/** Which providers log this account in: linking another, and taking one away. */
import { useEffect, useState } from 'preact/hooks';
import type { ParleyClient } from '../../../client/parley-client.ts';
import { explainRefusal } from '../../components/chat-store.ts';
import { useConfirm } from '../../components/confirm.tsx';
import type { SettingsProps } from './account-dialog.tsx';
import { StepUp, stepUpOf } from './step-up.tsx';

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

/** Links what a provider has just proved, by the code that came back in the address. */
export async function finishLinking(client: ParleyClient, code: string): Promise<void> {
  await client.call('POST', '/v1/users/me/identities/link', { code });
}

export function LinkedAccounts({ client }: SettingsProps) {
  const confirm = useConfirm();
  const [identities, setIdentities] = useState<readonly Identity[]>();
  const [providers, setProviders] = useState<readonly Provider[]>([]);
  const [problem, setProblem] = useState('');
  /** What waits for a step up. */
  const [waiting, setWaiting] = useState<{ methods: readonly string[]; work: () => Promise<void> }>();

  async function load(): Promise<void> {
    const [own, all] = await Promise.all([
      client.call<{ items: readonly Identity[] }>('GET', '/v1/users/me/identities'),
      client.callOpen<{ items: readonly Provider[] }>('GET', '/v1/auth/providers'),
    ]);
    setIdentities(own.items);
    setProviders(all.items);
  }

  async function work(step: () => Promise<void>): Promise<void> {
    setProblem('');
    setWaiting(undefined);
    try {
      await step();
    } catch (error) {
      const methods = stepUpOf(error);
      if (methods) setWaiting({ methods, work: step });
      else setProblem(explainRefusal(error));
    }
  }
  useEffect(() => void work(load), [client]);

  const link = (provider: string) =>
    work(async () => {
      const returnTo = location.origin + location.pathname;
      const { url } = await client.call<{ url: string }>('POST', '/v1/users/me/identities', { provider, returnTo });
      location.assign(url);
    });
  async function unlink(identity: Identity): Promise<void> {
    const label = labelOf(identity);
    const words = `You can no longer log in to this account with ${label}, until you link it again.`;
    if (!(await confirm({ title: `Unlink ${label}?`, words, action: 'Unlink' }))) return;
    await work(async () => {
      await client.call('DELETE', `/v1/users/me/identities/${identity.id}`);
      await load();
    });
  }
  const labelOf = ({ provider, issuer }: Identity) =>
    providers.find(({ name }) => name === provider)?.label ?? provider ?? issuer;
  const addable = providers.filter(({ name }) => !identities?.some(({ provider }) => provider === name));

  if (waiting) return <StepUp client={client} methods={waiting.methods} onDone={() => void work(waiting.work)} />;
  return (
    <section class="settings-form" aria-label="Linked accounts">
      <h3>Other ways to log in</h3>
      {identities?.length === 0 && <p class="hint">No account elsewhere is linked to this one.</p>}
      <ul class="entries">
        {identities?.map((identity) => (
          <li key={identity.id}>
            <span>
              <strong>{labelOf(identity)}</strong>
              {identity.name && <span class="hint">{identity.name}</span>}
            </span>
            {identity.provider && (
              <button type="button" aria-label={`Unlink ${labelOf(identity)}`} onClick={() => void unlink(identity)}>
                Unlink
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
      {identities && addable.length > 0 && (
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
