/** The page: who is here decides what is shown, the address which room. */
import { render } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { ClientError, createParleyClient } from '../client/parley-client.ts';
import { AccountLinks } from './account-links.tsx';
import { ChatScreen } from './chat-screen.tsx';
import { ChatStore, explainRefusal } from './chat-store.ts';
import { InviteAcceptance } from './invite-link.tsx';
import { LoginScreen } from './login-screen.tsx';
import { type Challenge, challengeOf } from './second-step-form.tsx';

const client = createParleyClient();

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

function Page() {
  const hash = useHash();
  const [store, setStore] = useState<ChatStore>();
  const [notice, setNotice] = useState('');
  const [begun, setBegun] = useState<Challenge>();

  function enter(): void {
    const entered = new ChatStore(client);
    client.connect();
    setNotice('');
    setBegun(undefined);
    setStore(entered);
  }

  function leave(words: string): void {
    setStore(undefined);
    setNotice(words);
  }

  useEffect(() => client.on({ onEnd: () => leave('Your login has ended. Please log in again.') }), []);

  useEffect(() => {
    const answer = new URLSearchParams(location.hash.slice(1));
    const code = answer.get('code');
    const error = answer.get('error');
    if (code === null && error === null) {
      if (client.user()) enter();
      return;
    }
    history.replaceState(null, '', location.pathname);
    if (code === null) setNotice('The login at the provider was not finished.');
    else
      client.exchangeCode(code).then(enter, (failure: unknown) => {
        const challenge = challengeOf(failure);
        if (challenge) setBegun(challenge);
        else setNotice(explainRefusal(failure));
      });
  }, []);

  if (/^#\/(verify-email|reset-password)\?/.test(hash)) return <AccountLinks client={client} hash={hash} />;
  if (!store) return <LoginScreen client={client} notice={notice} begun={begun} onEnter={enter} />;
  const logOut = () => {
    client.logout().catch((error: unknown) => {
      if (!(error instanceof ClientError)) throw error;
    });
    location.hash = '';
    leave('');
  };
  const invite = /^#\/invite\/([\w-]+)/.exec(hash)?.[1];
  return (
    <>
      <ChatScreen store={store} roomId={/^#\/rooms\/([0-9a-f-]{36})/.exec(hash)?.[1]} onLogOut={logOut} />
      {invite && <InviteAcceptance store={store} code={invite} />}
    </>
  );
}

for (const event of ['online', 'focus']) {
  // No use in waiting for the next attempt when there is a reason to think that it will work.
  addEventListener(event, () => {
    if (client.state().name === 'waiting') client.connect();
  });
}

render(<Page />, document.getElementById('app')!);
