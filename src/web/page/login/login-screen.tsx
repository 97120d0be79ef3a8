/** Log in, sign up, come in as a guest, or go to a provider. */
import { useEffect, useState } from 'preact/hooks';
import type { ParleyClient } from '../../../client/parley-client.ts';
import { explainRefusal } from '../../components/chat-store.ts';
import { Field } from '../../components/field.tsx';
import { askPasskey, explainPasskey, passkeysWork } from '../account/passkey.ts';
import { type Challenge, challengeOf, MfaForm } from './mfa-form.tsx';

interface Provider {
  readonly name: string;
  readonly label: string;
  readonly url: string;
}

type Mode = 'login' | 'signup' | 'guest' | 'forgot';

export function LoginScreen({
  client,
  notice,
  begun,
  onEnter,
}: {
  client: ParleyClient;
  notice: string;
  /** A login that was begun elsewhere and asks for its second step. */
  begun: Challenge | undefined;
  onEnter: () => void;
}) {
  const [mode, setMode] = useState<Mode>('login');
  const [providers, setProviders] = useState<readonly Provider[]>([]);
  const [problem, setProblem] = useState('');
  const [done, setDone] = useState('');
  const [busy, setBusy] = useState(false);
  const [challenge, setChallenge] = useState(begun);

  useEffect(() => setChallenge(begun), [begun]);

  useEffect(() => {
    client.callOpen<{ items: readonly Provider[] }>('GET', '/v1/auth/providers').then(
      ({ items }) => setProviders(items),
      () => setProviders([]),
    );
  }, [client]);

  async function submit(event: SubmitEvent): Promise<void> {
    event.preventDefault();
    const fields = new FormData(event.currentTarget as HTMLFormElement);
    const field = (name: string) => String(fields.get(name) ?? '');
    setBusy(true);
    setProblem('');
    try {
      if (mode === 'forgot') {
        await client.callOpen('POST', '/v1/auth/password/forgot', { email: field('email') });
        setDone('If there is an account with this address, a link is on its way.');
        return;
      }
      if (mode === 'login') await client.login(field('username'), field('password'));
      else if (mode === 'signup')
        await client.register({ username: field('username'), email: field('email'), password: field('password') });
      else await client.guest(field('displayName'));
      onEnter();
    } catch (error) {
      const second = challengeOf(error);
      if (second) setChallenge(second);
      else setProblem(explainRefusal(error));
    } finally {
      setBusy(false);
    }
  }

  async function enterByProvider(name: string): Promise<void> {
    setProblem('');
    try {
      location.assign(await client.beginProviderLogin(name));
    } catch (error) {
      setProblem(explainRefusal(error));
    }
  }

  async function enterByPasskey(): Promise<void> {
    setBusy(true);
    setProblem('');
    try {
      await client.passkey(await askPasskey(() => client.callOpen('POST', '/v1/auth/passkey/options')));
      onEnter();
    } catch (error) {
      setProblem(explainPasskey(error) ?? explainRefusal(error));
    } finally {
      setBusy(false);
    }
  }

  const switchTo = (next: Mode) => () => {
    setMode(next);
    setProblem('');
    setDone('');
  };
  const titles: Record<Mode, string> = {
    login: 'Log in',
    signup: 'Sign up',
    guest: 'Come in as a guest',
    forgot: 'Reset your password',
  };
  const actions: Record<Mode, string> = {
    login: 'Log in',
    signup: 'Sign up',
    guest: 'Continue as guest',
    forgot: 'Send link',
  };

  if (challenge)
    return <MfaForm client={client} challenge={challenge} onEnter={onEnter} onBack={() => setChallenge(undefined)} />;

  return (
    <main class="entrance">
      <form class="card" onSubmit={(event) => void submit(event)} key={mode}>
        <h1 class="brand">Parley</h1>
        <h2>{titles[mode]}</h2>
        {notice && <p class="notice">{notice}</p>}
        {(mode === 'login' || mode === 'signup') && (
          <Field
            label="Username"
            name="username"
            autoComplete="username"
            hint={mode === 'login' ? 'or your e-mail address' : undefined}
          />
        )}
        {(mode === 'signup' || mode === 'forgot') && (
          <Field label="Email" name="email" type="email" autoComplete="email" />
        )}
        {(mode === 'login' || mode === 'signup') && (
          <Field
            label="Password"
            name="password"
            type="password"
            autoComplete={mode === 'login' ? 'current-password' : 'new-password'}
          />
        )}
        {mode === 'guest' && <Field label="Display name" name="displayName" autoComplete="nickname" />}
        {problem && (
          <p class="problem" role="alert">
            {problem}
          </p>
        )}
        {done && <p role="status">{done}</p>}
        <button class="primary" type="submit" disabled={busy}>
          {actions[mode]}
        </button>
        {mode === 'login' && passkeysWork && (
          <button type="button" disabled={busy} onClick={() => void enterByPasskey()}>
            Use a passkey
          </button>
        )}
        {mode === 'login' && providers.length > 0 && (
          <div class="providers">
            {providers.map(({ name, label, url }) => (
              <a
                class="button"
                href={url}
                key={name}
                onClick={(event) => {
                  event.preventDefault();
                  void enterByProvider(name);
                }}
              >
                Log in with {label}
              </a>
            ))}
          </div>
        )}
        <nav class="switches" aria-label="Other ways in">
          {mode !== 'login' && (
            <button type="button" class="link" onClick={switchTo('login')}>
              I have an account
            </button>
          )}
          {mode !== 'signup' && (
            <button type="button" class="link" onClick={switchTo('signup')}>
              Sign up
            </button>
          )}
          {mode === 'login' && (
            <button type="button" class="link" onClick={switchTo('guest')}>
              Continue as guest
            </button>
          )}
          {mode === 'login' && (
            <button type="button" class="link" onClick={switchTo('forgot')}>
              Forgot password?
            </button>
          )}
        </nav>
      </form>
    </main>
  );
}
