/** One's own account: profile, password and address, second step, devices. A guest may keep the account here. */
import { useState } from 'preact/hooks';
import type { OwnUser, ParleyClient } from '../../../client/parley-client.ts';
import { Dialog } from '../../components/dialog.tsx';
import { DeviceSettings } from './device-settings.tsx';
import { LinkedAccounts } from './linked-accounts.tsx';
import { MfaSettings } from './mfa-settings.tsx';
import { PasswordSettings } from './password-settings.tsx';
import { ProfileSettings } from './profile-settings.tsx';
import { UpgradeForm } from './upgrade-form.tsx';

export interface SettingsProps {
  readonly client: ParleyClient;
  readonly user: OwnUser;
  readonly onChange: (user: OwnUser) => void;
}

const sections = {
  profile: { title: 'Profile', view: ProfileSettings },
  login: { title: 'Password & email', view: PasswordSettings },
  second: { title: 'Second step', view: MfaSettings },
  linked: { title: 'Linked accounts', view: LinkedAccounts },
  devices: { title: 'Devices', view: DeviceSettings },
  keep: { title: 'Guest account', view: UpgradeForm },
} as const;

type Section = keyof typeof sections;

export function AccountDialog({
  client,
  first = 'profile',
  onChange,
  onClose,
}: {
  client: ParleyClient;
  /** Called when the account was changed. */
  onChange?: () => void;
  /** What is shown first to whoever is no guest. */
  first?: Section;
  onClose: () => void;
}) {
  const [user, setUser] = useState(client.user());
  const [section, setSection] = useState<Section>(user?.kind === 'guest' ? 'keep' : first);
  if (!user) return null;
  const change = (changed: OwnUser) => {
    setUser(changed);
    onChange?.();
  };
  const shown: readonly Section[] =
    user.kind === 'guest' ? ['keep', 'profile', 'devices'] : ['profile', 'login', 'second', 'linked', 'devices'];
  const open = shown.includes(section) ? section : 'profile';
  const { title, view: View } = sections[open];
  return (
    <Dialog title="Account settings" look="wide" onClose={onClose}>
      <div class="settings">
        <nav aria-label="Account settings">
          <ul>
            {shown.map((each) => (
              <li key={each}>
                <button
                  type="button"
                  aria-current={each === open ? 'page' : undefined}
                  onClick={() => setSection(each)}
                >
                  {sections[each].title}
                </button>
              </li>
            ))}
          </ul>
        </nav>
        <section class="settings-body" aria-label={title} key={open}>
          <View client={client} user={user} onChange={change} />
        </section>
      </div>
    </Dialog>
  );
}
