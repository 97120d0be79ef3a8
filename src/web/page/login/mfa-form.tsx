/** The second step of a login: a code, or a passkey. */
import { useState } from 'preact/hooks';
import type { ClientError, ParleyClient, SecondFactorProof } from '../../../client/parley-client.ts';
import { explainRefusal } from '../../components/chat-store.ts';
import { Field } from '../../components/field.tsx';
import { askPasskey, explainPasskey, passkeysWork } from '../account/passkey.ts';

export interface Challenge {
  readonly challenge: string;
  readonly methods: readonly string[];
}

/** The challenge of a login that asks for a second step; undefined for any other refusal. */
export function challengeOf(error: unknown): Challenge | undefined {
  const { code, details } = error as Partial<ClientError>;
  if (code !== 'second_factor_required' || !details) return undefined;
  return { challenge: String(details.challenge), methods: details.methods as readonly string[] };
}

export function MfaForm({
  client,
  challenge: { challenge, methods },
  onEnter,
  onBack,
}: {
  client: ParleyClient;
  challenge: Challenge;
  onEnter: () => void;
  onBack: () => void;
}) {
  const [problem, setProblem] = useState('');
  const [busy, setBusy] = useState(false);
  const [recovery, setRecovery] = useState(!methods.includes('totp') && !methods.includes('passkey'));
  const byCode = methods.includes('totp') || recovery;

  async function finish(prove: () => Promise<SecondFactorProof>): Promise<void> {
    setBusy(true);
    setProblem('');
    try {
      await client.secondFactor(challenge, await prove());
      onEnter();
    } catch (error) {
      setProblem(explainPasskey(error) ?? explainRefusal(error));
    } finally {
      setBusy(false);
    }
  }

  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    const code = String(new FormData(event.currentTarget as HTMLFormElement).get('code') ?? '');
    void finish(async () => ({ code: code.trim() }));
  };
  const usePasskey = () =>
    void finish(async () => ({
      passkey: await askPasskey(() => client.callOpen('POST', '/v1/auth/second-factor/options', { challenge })),
    }));

  return (
    <main class="entrance">
      <form class="card" onSubmit={submit}>
        <h1 class="brand">Parley</h1>
        <h2>One more step</h2>
        {byCode && (
          <Field
            key={String(recovery)}
            label={recovery ? 'Recovery code' : 'Code of your authenticator app'}
            name="code"
            autoComplete={recovery ? 'off' : 'one-time-code'}
            inputMode={recovery ? undefined : 'numeric'}
            autoFocus
          />
        )}
        {problem && (
          <p class="problem" role="alert">
            {problem}
          </p>
        )}
        {byCode && (
          <button class="primary" type="submit" disabled={busy}>
            Continue
          </button>
        )}
        {methods.includes('passkey') && passkeysWork && (
          <button type="button" class={byCode ? '' : 'primary'} disabled={busy} onClick={usePasskey}>
            Use a passkey
          </button>
        )}
        <nav class="switches" aria-label="Other ways">
          {methods.includes('recovery_code') && (
            <button type="button" class="link" onClick={() => setRecovery(!recovery)}>
              {recovery ? 'Do not use a recovery code' : 'Use a recovery code'}
            </button>
          )}
          <button type="button" class="link" onClick={onBack}>
            Start again
          </button>
        </nav>
      </form>
    </main>
  );
}
