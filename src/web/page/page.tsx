/** The page: who is here decides what is shown, the address which room. */
import { render } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { ClientError, createParleyClient } from '../../client/parley-client.ts';
import { ChatStore, explainRefusal } from '../components/chat-store.ts';
import { ConfirmProvider, useConfirm } from '../components/confirm.tsx';
import { Dialog } from '../components/dialog.tsx';
import { AccountDialog } from './account/account-dialog.tsx';
import { finishLinking } from './account/linked-accounts.tsx';
import { ChatScreen } from './chat-screen.tsx';
import { InviteAcceptance } from './invite-link.tsx';
import { followKeyboard } from './keyboard-inset.ts';
import { AccountLinks } from './login/account-links.tsx';
import { LoginScreen } from './login/login-screen.tsx';
import { type Challenge, challengeOf } from './login/mfa-form.tsx';
import { explainProviderError } from './login/provider-errors.ts';
import { SetupScreen } from './login/setup-screen.tsx';
import { MailboxDialog } from './mailbox-dialog.tsx';
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
  const confirm = useConfirm();
  const hash = useHash();
  const [store, setStore] = useState<ChatStore>();
  const current = useRef<ChatStore>(undefined);
  current.current = store;
  const [notice, setNotice] = useState('');
  /** How the linking of a provider ended that this page has come back from. */
  const [linking, setLinking] = useState<{ problem: string }>();
  const [begun, setBegun] = useState<Challenge>();

  function enter(): void {
    current.current?.stop();
    const entered = new ChatStore(client);
    client.connect();
    setNotice('');
    setBegun(undefined);
    setStore(entered);
  }

  function leave(words: string): void {
    current.current?.stop();
    setStore(undefined);
    setNotice(words);
  }

  useEffect(() => {
    // Another tab has logged out, or in as somebody else: what is shown here is no longer this login's.
    const follow = () => {
      const shown = current.current;
      if (!shown || shown.userId === client.user()?.id) return;
      client.disconnect();
      if (client.user()) enter();
      else leave('You have logged out in another tab.');
    };
    // A page in the back/forward cache hears nothing of other tabs.
    for (const event of ['storage', 'pageshow']) addEventListener(event, follow);
    return () => {
      for (const event of ['storage', 'pageshow']) removeEventListener(event, follow);
    };
  }, []);

  useEffect(() => client.on({ onEnd: () => leave('Your login has ended. Please log in again.') }), []);

  useEffect(() => {
    const answer = new URLSearchParams(location.hash.slice(1));
    const code = answer.get('code');
    const link = answer.get('link');
    const failure = answer.get('error');
    const unfinished = failure === null ? '' : explainProviderError(failure);
    if (code === null && link === null && !unfinished) {
      if (client.user()) enter();
      return;
    }
    history.replaceState(null, '', location.pathname);
    if (client.user() && code === null) {
      // Back from a provider that was to be linked to the account that is logged in here.
      enter();
      if (link === null) setLinking({ problem: unfinished });
      else
        finishLinking(client, link).then(
          () => setLinking({ problem: '' }),
          (failure: unknown) => setLinking({ problem: explainRefusal(failure) }),
        );
    } else if (code === null) setNotice(unfinished);
    else
      client.exchangeCode(code).then(enter, (failure: unknown) => {
        const challenge = challengeOf(failure);
        if (challenge) setBegun(challenge);
        // A code that was planted here throws nobody out.
        else if (client.user()) enter();
        else setNotice(explainRefusal(failure));
      });
  }, []);

  if (/^#\/(verify-email|reset-password)\?/.test(hash)) return <AccountLinks client={client} hash={hash} />;
  if (/^#\/setup\?/.test(hash))
    return (
      <SetupScreen
        client={client}
        hash={hash}
        onDone={() => {
          location.hash = '';
          // The connection of before has another role.
          location.reload();
        }}
      />
    );
  if (!store) return <LoginScreen client={client} notice={notice} begun={begun} onEnter={enter} />;
  const logOut = async () => {
    if (client.user()?.kind === 'guest' && !(await confirm(guestLogOut))) return;
    if (store.hasUnsentText() && !(await confirm(unsentLogOut))) return;
    store.forgetUnsentText();
    client.logout().catch((error: unknown) => {
      if (!(error instanceof ClientError)) throw error;
    });
    location.hash = '';
    leave('');
  };
  const invite = /^#\/invite\/([\w-]+)/.exec(hash)?.[1];
  return (
    <>
      <ChatScreen store={store} roomId={/^#\/rooms\/([0-9a-f-]{36})/.exec(hash)?.[1]} onLogOut={() => void logOut()} />
      {hash === '#/mailbox' && <MailboxDialog client={client} onClose={() => location.replace('#')} />}
      {invite && <InviteAcceptance store={store} code={invite} />}
      {linking?.problem === '' && (
        <AccountDialog client={client} first="linked" onClose={() => setLinking(undefined)} />
      )}
      {linking?.problem && (
        <Dialog title="Not linked" onClose={() => setLinking(undefined)}>
          <p class="problem" role="alert">
            {linking.problem}
          </p>
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
