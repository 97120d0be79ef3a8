/** The page. The login decides which screen is shown, and the hash of the address which room. */
import { render } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { ClientError, createParleyClient } from '../../client/parley-client.ts';
import type { ChatStore } from '../components/chat-store.ts';
import { ConfirmProvider, useConfirm } from '../components/confirm.tsx';
import { Dialog } from '../components/dialog.tsx';
import { readPlace } from '../components/page-places.ts';
import { Refusal } from '../components/refusal.tsx';
import { AccountDialog } from './account/account-dialog.tsx';
import { ChatScreen } from './chat-screen.tsx';
import { InviteAcceptance } from './invite-link.tsx';
import { followKeyboard } from './keyboard-inset.ts';
import { AccountLinks } from './login/account-links.tsx';
import { LoginScreen } from './login/login-screen.tsx';
import { SetupScreen } from './login/setup-screen.tsx';
import { MailboxDialog } from './mailbox-dialog.tsx';
import { type Linking, usePageLogin } from './page-login.ts';
import { onWakeUp } from './wake-up.ts';

/** The page may be below a path behind a proxy: the API is beside it. */
const client = createParleyClient({ baseUrl: new URL('.', location.href).href });

/** `#/rooms/<id>` and the like; `#code=…` comes from a login through a provider. */
function useHash(): string {
  const [hash, setHash] = useState(location.hash);
  useEffect(() => {
    const change = () => setHash(location.hash);
    addEventListener('hashchange', change);
    return () => removeEventListener('hashchange', change);
  }, []);
  return hash;
}

const guestLogOut = {
  title: 'Log out as a guest?',
  words:
    'Guests cannot log in again: you lose this account for good. To keep it, choose a name and a password in the account settings first.',
  action: 'Log out',
};

const unsentLogOut = {
  title: 'Log out with unsent texts?',
  words: 'There are drafts or messages that were not sent. Logging out removes them from this device.',
  action: 'Log out',
};

function Page() {
  const hash = useHash();
  const login = usePageLogin(client);

  if (/^#\/(verify-email|reset-password)\?/.test(hash)) return <AccountLinks client={client} hash={hash} />;
  if (/^#\/setup\?/.test(hash)) return <SetupScreen client={client} hash={hash} onDone={startAgain} />;
  if (!login.store)
    return <LoginScreen client={client} notice={login.notice} begun={login.begun} onEnter={login.enter} />;
  return (
    <ChatPage
      store={login.store}
      hash={hash}
      linking={login.linking}
      onLinkingClose={login.closeLinking}
      onLogOut={() => login.leave('')}
    />
  );
}

/** Reloads the page: the connection of before has another role. */
function startAgain(): void {
  location.hash = '';
  location.reload();
}

interface ChatPageProps {
  readonly store: ChatStore;
  readonly hash: string;
  readonly linking: Linking | undefined;
  readonly onLinkingClose: () => void;
  readonly onLogOut: () => void;
}

function ChatPage({ store, hash, linking, onLinkingClose, onLogOut }: ChatPageProps) {
  const confirm = useConfirm();
  async function logOut(): Promise<void> {
    if (client.user()?.kind === 'guest' && !(await confirm(guestLogOut))) return;
    if (store.hasUnsentText() && !(await confirm(unsentLogOut))) return;
    store.forgetUnsentText();
    client.logout().catch((error: unknown) => {
      if (!(error instanceof ClientError)) throw error;
    });
    location.hash = '';
    onLogOut();
  }
  const invite = /^#\/invite\/([\w-]+)/.exec(hash)?.[1];
  return (
    <>
      <ChatScreen store={store} place={readPlace(hash)} onLogOut={() => void logOut()} />
      {hash === '#/mailbox' && <MailboxDialog client={client} onClose={() => location.replace('#')} />}
      {invite && <InviteAcceptance store={store} code={invite} />}
      {linking?.problem === '' && <AccountDialog client={client} first="linked" onClose={onLinkingClose} />}
      {linking?.problem && (
        <Dialog title="Not linked" onClose={onLinkingClose}>
          <Refusal words={linking.problem} />
        </Dialog>
      )}
    </>
  );
}

onWakeUp(() => client.wake());
followKeyboard();

render(
  <ConfirmProvider>
    <Page />
  </ConfirmProvider>,
  document.getElementById('app')!,
);
