/** A step-up: the person proves again that it is them before a change that needs a fresh login. */
import type { VNode } from 'preact';
import { useState } from 'preact/hooks';
import { ClientError, type ParleyClient } from '../../../client/parley-client.ts';
import { useAttempt } from '../../components/attempt.ts';
import { explainRefusal } from '../../components/chat-store.ts';
import { Field } from '../../components/field.tsx';
import { fieldsOf } from '../../components/form-fields.ts';
import { askPasskey, explainPasskey, passkeysWork } from '../../components/passkey.ts';
import { Refusal } from '../../components/refusal.tsx';

/** The methods that a refused change accepts as a step-up; undefined for any other refusal. */
export function stepUpOf(error: unknown): readonly string[] | undefined {
  return error instanceof ClientError && error.code === 'step_up_required'
    ? ((error.details.methods ?? []) as readonly string[])
    : undefined;
}

export interface StepUpWork {
  readonly problem: string;
  /** Does the work; when it needs a step-up, again after one. */
  readonly attempt: (work: () => Promise<unknown>) => Promise<void>;
  /** The form to show while work waits for a step-up. */
  readonly stepUp: VNode | undefined;
}

/** Work that may need a step-up. */
export function useStepUp(client: ParleyClient): StepUpWork {
  const [problem, setProblem] = useState('');
  const [waiting, setWaiting] = useState<{ methods: readonly string[]; work: () => Promise<unknown> }>();

  async function attempt(work: () => Promise<unknown>): Promise<void> {
    setProblem('');
    setWaiting(undefined);
    try {
      await work();
    } catch (error) {
      const methods = stepUpOf(error);
      if (methods) setWaiting({ methods, work });
      else setProblem(explainPasskey(error) ?? explainRefusal(error));
    }
  }

  return {
    problem,
    attempt,
    stepUp: waiting && <StepUp client={client} methods={waiting.methods} onDone={() => void attempt(waiting.work)} />,
  };
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
  const { problem, attempt } = useAttempt((error) => explainPasskey(error) ?? explainRefusal(error));
  const byCode = methods.includes('totp') || methods.includes('recovery_code');
  const byPassword = methods.includes('password');
  const byPasskey = methods.includes('passkey');

  const prove = (proof: () => Promise<object>) =>
    attempt(async () => {
      await client.call('POST', '/v1/auth/step-up', await proof());
      onDone();
    });
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    const text = fieldsOf(event)('proof');
    void prove(async () => (byPassword ? { password: text } : { code: text.trim() }));
  };
  const usePasskey = () =>
    void prove(async () => ({
      passkey: await askPasskey(() => client.call('POST', '/v1/auth/step-up/options')),
    }));

  return (
    <form class="settings-form step-up" onSubmit={submit} aria-label="Is it you?">
      <h3>Is it you?</h3>
      <p class="hint">You logged in a while ago. Please prove again that it is you.</p>
      {(byCode || byPassword) && (
        <Field
          label={byPassword ? 'Confirm your password' : 'Code of your authenticator app, or a recovery code'}
          name="proof"
          type={byPassword ? 'password' : 'text'}
          autoComplete={byPassword ? 'current-password' : 'one-time-code'}
          autoFocus
        />
      )}
      {!byCode && !byPassword && !byPasskey && <p>Log out and in again, then come back here.</p>}
      <Refusal words={problem} />
      <div class="row">
        {(byCode || byPassword) && (
          <button class="primary" type="submit">
            Confirm
          </button>
        )}
        {byPasskey && passkeysWork && (
          <button type="button" onClick={usePasskey}>
            Use a passkey
          </button>
        )}
      </div>
    </form>
  );
}
