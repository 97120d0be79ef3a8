/** My password and my e-mail address. */
import { useEffect, useState } from 'preact/hooks';
import { ClientError } from '../../../client/parley-client.ts';
import { explainRefusal } from '../../components/chat-store.ts';
import { Field } from '../../components/field.tsx';
import { SettingsForm } from '../../components/settings-form.tsx';
import type { SettingsProps } from './settings-props.ts';
import { StepUp, stepUpOf } from './step-up.tsx';

export function PasswordSettings({ client, user, onChange }: SettingsProps) {
  const [asked, setAsked] = useState<{ methods: readonly string[]; email: string }>();
  const [words, setWords] = useState('');

  useEffect(() => {
    // The address may have been confirmed in another tab.
    client.profile().then(onChange, (error: unknown) => {
      if (!(error instanceof ClientError)) throw error;
    });
  }, [client]);

  const sent = 'A link is on its way to the new address. The address changes when you follow it.';
  async function ask(email: string, password: string): Promise<string> {
    try {
      await client.call('POST', '/v1/users/me/email', { email, ...(password ? { password } : {}) });
      return sent;
    } catch (error) {
      const methods = stepUpOf(error);
      if (!methods) throw error;
      setAsked({ methods, email });
      return '';
    }
  }

  async function resend(): Promise<void> {
    try {
      await client.call('POST', '/v1/users/me/email/verification');
      setWords('A link is on its way.');
    } catch (error) {
      setWords(explainRefusal(error));
    }
  }

  return (
    <>
      <SettingsForm
        title="Change password"
        action="Change password"
        onSubmit={async (field) => {
          await client.call('PUT', '/v1/users/me/password', {
            ...(field('currentPassword') ? { currentPassword: field('currentPassword') } : {}),
            newPassword: field('newPassword'),
          });
          return 'Your password is changed. All other logins have ended.';
        }}
      >
        <Field
          label="Current password"
          name="currentPassword"
          type="password"
          autoComplete="current-password"
          required={false}
        />
        <Field label="New password" name="newPassword" type="password" autoComplete="new-password" />
      </SettingsForm>
      <SettingsForm
        title="Change email"
        action="Send link"
        onSubmit={(field) => ask(field('email'), field('password'))}
      >
        <p class="hint">
          {user.email ?? 'No address yet'}
          {user.email !== null && (user.emailVerified ? ' · confirmed' : ' · not confirmed yet')}{' '}
          {user.email !== null && !user.emailVerified && (
            <button type="button" class="link" onClick={() => void resend()}>
              Send the link again
            </button>
          )}
        </p>
        {words && <p role="status">{words}</p>}
        <Field label="New email" name="email" type="email" autoComplete="email" />
        <Field label="Your password" name="password" type="password" autoComplete="current-password" required={false} />
      </SettingsForm>
      {asked && (
        <StepUp
          client={client}
          methods={asked.methods}
          onDone={() => {
            setAsked(undefined);
            ask(asked.email, '').then(setWords, (error: unknown) => setWords(explainRefusal(error)));
          }}
        />
      )}
    </>
  );
}
