/** Turns a guest into a user with a name and a password. */
import { Field } from '../../components/field.tsx';
import { SettingsForm } from '../../components/settings-form.tsx';
import type { SettingsProps } from './settings-props.ts';

export function UpgradeForm({ client, user, onChange }: SettingsProps) {
  return (
    <SettingsForm
      title="Keep this account"
      action="Keep account"
      onSubmit={async (field) => {
        onChange(
          await client.upgrade({
            username: field('username'),
            email: field('email'),
            password: field('password'),
            displayName: user.displayName,
          }),
        );
        return 'The account is yours. A link to confirm your address is on its way.';
      }}
    >
      <p class="hint">You are a guest. With a name and a password your rooms and messages stay yours.</p>
      <Field label="Username" name="username" autoComplete="username" />
      <Field label="Email" name="email" type="email" autoComplete="email" />
      <Field label="Password" name="password" type="password" autoComplete="new-password" />
    </SettingsForm>
  );
}
