/** Asks once more who is there, before a grave change. */
import { useState } from 'preact/hooks';
import { ClientError, type ParleyClient } from '../../../client/parley-client.ts';
import { explainRefusal } from '../../components/chat-store.ts';
import { Field } from '../../components/field.tsx';
import { askPasskey, explainPasskey, passkeysWork } from './passkey.ts';

/** By what one may prove oneself where a step up was asked for; undefined for any other refusal. */
export function stepUpOf(error: unknown): readonly string[] | undefined {
  return error instanceof ClientError && error.code === 'step_up_required'
    ? ((error.details.methods ?? []) as readonly string[])
    : undefined;
}

export function StepUp({
  client,
  methods,
  onDone,
}: {
  client: ParleyClient;
  methods: readonly string[];
  onDone: () => void;
}) {
  const [problem, setProblem] = useState('');
  const byCode = methods.includes('totp') || methods.includes('recovery_code');
  const byPassword = methods.includes('password');

  async function prove(proof: () => Promise<object>): Promise<void> {
    setProblem('');
    try {
      await client.call('POST', '/v1/auth/step-up', await proof());
      onDone();
    } catch (error) {
      setProblem(explainPasskey(error) ?? explainRefusal(error));
    }
  }

  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    const text = String(new FormData(event.currentTarget as HTMLFormElement).get('proof') ?? '');
    void prove(async () => (byPassword ? { password: text } : { code: text.trim() }));
  };

  return (
    <form class="settings-form step-up" onSubmit={submit} aria-label="Is it you?">
      <h3>Is it you?</h3>
      <p class="hint">It has been a while since you logged in. Please prove once more that it is you.</p>
      {(byCode || byPassword) && (
        <Field
          label={byPassword ? 'Confirm your password' : 'Code of your authenticator app, or a recovery code'}
          name="proof"
          type={byPassword ? 'password' : 'text'}
          autoComplete={byPassword ? 'current-password' : 'one-time-code'}
          autoFocus
        />
      )}
      {!byCode && !byPassword && !methods.includes('passkey') && <p>Log out and in again, then come back here.</p>}
      {problem && (
        <p class="problem" role="alert">
          {problem}
        </p>
      )}
      <div class="row">
        {(byCode || byPassword) && (
          <button class="primary" type="submit">
            Confirm
          </button>
        )}
        {methods.includes('passkey') && passkeysWork && (
          <button
            type="button"
            onClick={() =>
              void prove(async () => ({
                passkey: await askPasskey(() => client.call('POST', '/v1/auth/step-up/options')),
              }))
            }
          >
            Use a passkey
          </button>
        )}
      </div>
    </form>
  );
}
