/** Answers the MFA challenge of a login, by a code or a passkey. */
import { useState } from 'preact/hooks';
import type { ClientError, ParleyClient, SecondFactorProof } from '../../../client/parley-client.ts';
import { useAttempt } from '../../components/attempt.ts';
import { explainRefusal } from '../../components/chat-store.ts';
import { Field } from '../../components/field.tsx';
import { fieldsOf } from '../../components/form-fields.ts';
import { askPasskey, explainPasskey, passkeysWork } from '../../components/passkey.ts';
import { Refusal } from '../../components/refusal.tsx';

export interface Challenge {
  readonly challenge: string;
  readonly methods: readonly string[];
}

/** The MFA challenge of a login that was refused for want of one; undefined for any other refusal. */
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
  const { busy, problem, attempt } = useAttempt((error) => explainPasskey(error) ?? explainRefusal(error));
  const [recovery, setRecovery] = useState(!methods.includes('totp') && !methods.includes('passkey'));
  const byCode = methods.includes('totp') || recovery;

  const finish = (prove: () => Promise<SecondFactorProof>) =>
    attempt(async () => {
      await client.secondFactor(challenge, await prove());
      onEnter();
    });
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    const code = fieldsOf(event)('code');
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
        <Refusal words={problem} />
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
        <nav class="switches" aria-label="Other methods">
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
