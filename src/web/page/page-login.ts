/**
 * The login that the page shows, and its chat. It begins with a login that this device keeps, by the login screen, or with what a
 * provider sent back in the address. It ends by logging out, here or in another tab, or when the server ends it.
 */
import { useEffect, useRef, useState } from 'preact/hooks';
import type { ParleyClient } from '../../client/parley-client.ts';
import { ChatStore, explainRefusal } from '../components/chat-store.ts';
import { finishLinking } from './account/linked-accounts.tsx';
import { type Challenge, challengeOf } from './login/mfa-form.tsx';
import { explainProviderError } from './login/provider-errors.ts';

/** How the linking of a provider ended. */
export interface Linking {
  /** Empty: it is linked. */
  readonly problem: string;
}

export interface PageLogin {
  /** Undefined: nobody is logged in. */
  readonly store: ChatStore | undefined;
  /** Shown on the login screen, e.g. why the last login ended. */
  readonly notice: string;
  /** The MFA challenge of a login that came back from a provider. */
  readonly begun: Challenge | undefined;
  readonly linking: Linking | undefined;
  readonly closeLinking: () => void;
  /** This device has logged in. */
  readonly enter: () => void;
  /** @param notice for the login screen */
  readonly leave: (notice: string) => void;
}

/** What a provider, or the server for it, put into the hash of the address. */
interface ProviderAnswer {
  /** To be exchanged for a login. */
  readonly code: string | null;
  /** To be exchanged for a link to the account of this device's login. */
  readonly link: string | null;
  /** Why there is neither, in words; empty when there is. */
  readonly problem: string;
}

function readProviderAnswer(hash: string): ProviderAnswer | undefined {
  const answer = new URLSearchParams(hash.slice(1));
  const [code, link, error] = [answer.get('code'), answer.get('link'), answer.get('error')];
  if (code === null && link === null && error === null) return undefined;
  return { code, link, problem: error === null ? '' : explainProviderError(error) };
}

export function usePageLogin(client: ParleyClient): PageLogin {
  const [store, setStore] = useState<ChatStore>();
  const current = useRef<ChatStore>(undefined);
  const [notice, setNotice] = useState('');
  const [linking, setLinking] = useState<Linking>();
  const [begun, setBegun] = useState<Challenge>();

  function show(next: ChatStore | undefined, words: string): void {
    current.current?.stop();
    current.current = next;
    setStore(next);
    setNotice(words);
  }
  function enter(): void {
    show(new ChatStore(client), '');
    client.connect();
    setBegun(undefined);
  }
  const leave = (words: string) => show(undefined, words);

  async function takeProviderAnswer({ code, link, problem }: ProviderAnswer): Promise<void> {
    history.replaceState(null, '', location.pathname);
    if (code !== null) {
      try {
        await client.exchangeCode(code);
        enter();
      } catch (failure) {
        const challenge = challengeOf(failure);
        if (challenge) setBegun(challenge);
        // A code that somebody planted in the address ends no login.
        else if (client.user()) enter();
        else setNotice(explainRefusal(failure));
      }
    } else if (client.user()) {
      enter();
      setLinking(link === null ? { problem } : await finishLinking(client, link).then(linked, notLinked));
    } else setNotice(problem);
  }

  useEffect(() => followOtherTabs({ client, current, enter, leave }), []);
  useEffect(() => client.on({ onEnd: () => leave('Your login has ended. Please log in again.') }), []);
  useEffect(() => {
    const answer = readProviderAnswer(location.hash);
    if (answer) void takeProviderAnswer(answer);
    else if (client.user()) enter();
  }, []);

  return { store, notice, begun, linking, closeLinking: () => setLinking(undefined), enter, leave };
}

const linked = (): Linking => ({ problem: '' });
const notLinked = (failure: unknown): Linking => ({ problem: explainRefusal(failure) });

/** Another tab logged out, or in as another user: this page follows. @returns stops following */
function followOtherTabs({
  client,
  current,
  enter,
  leave,
}: Pick<PageLogin, 'enter' | 'leave'> & {
  client: ParleyClient;
  current: { readonly current: ChatStore | undefined };
}): () => void {
  const follow = () => {
    const shown = current.current;
    if (!shown || shown.userId === client.user()?.id) return;
    client.disconnect();
    if (client.user()) enter();
    else leave('You have logged out in another tab.');
  };
  // A page in the back/forward cache hears nothing of other tabs until it is shown again.
  const events = ['storage', 'pageshow'];
  for (const event of events) addEventListener(event, follow);
  return () => {
    for (const event of events) removeEventListener(event, follow);
  };
}
