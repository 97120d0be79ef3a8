/** My profile, as others see it. */
import { Avatar } from '../../components/avatar.tsx';
import { Field } from '../../components/field.tsx';
import { SettingsForm } from '../../components/settings-form.tsx';
import type { SettingsProps } from './settings-props.ts';

export function ProfileSettings({ client, user, onChange }: SettingsProps) {
  return (
    <SettingsForm
      title="Profile"
      action="Save profile"
      onSubmit={async (field) => {
        onChange(await client.profile({ displayName: field('displayName'), avatarUrl: field('avatarUrl') || null }));
        return 'Saved.';
      }}
    >
      <p class="own-picture">
        <Avatar person={user} />
        <span class="hint">You are @{user.username}.</span>
      </p>
      <Field label="Display name" name="displayName" autoComplete="nickname" value={user.displayName} />
      <Field label="Picture" name="avatarUrl" hint="https://…" required={false} value={user.avatarUrl ?? undefined} />
    </SettingsForm>
  );
}
