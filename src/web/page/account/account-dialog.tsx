/** The settings of my account. A guest can keep the account here. */
import { useState } from 'preact/hooks';
import type { OwnUser, ParleyClient } from '../../../client/parley-client.ts';
import { Dialog } from '../../components/dialog.tsx';
import { DeviceSettings } from './device-settings.tsx';
import { LinkedAccounts } from './linked-accounts.tsx';
import { MfaSettings } from './mfa-settings.tsx';
import { PasswordSettings } from './password-settings.tsx';
import { ProfileSettings } from './profile-settings.tsx';
import { UpgradeForm } from './upgrade-form.tsx';

const sections = {
  profile: { title: 'Profile', view: ProfileSettings },
  login: { title: 'Password & email', view: PasswordSettings },
  second: { title: 'Two-factor authentication', view: MfaSettings },
  linked: { title: 'Linked accounts', view: LinkedAccounts },
  devices: { title: 'Devices', view: DeviceSettings },
  keep: { title: 'Guest account', view: UpgradeForm },
} as const;

type Section = keyof typeof sections;

const sectionsOf = {
  guest: ['keep', 'profile', 'devices'],
  user: ['profile', 'login', 'second', 'linked', 'devices'],
} as const satisfies Record<OwnUser['kind'], readonly Section[]>;

export function AccountDialog({
  client,
  first = 'profile',
  onChange,
  onClose,
}: {
  client: ParleyClient;
  /** Called when the account was changed. */
  onChange?: () => void;
  /** The pane that is shown first, except to guests. */
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
  const shown: readonly Section[] = sectionsOf[user.kind];
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
