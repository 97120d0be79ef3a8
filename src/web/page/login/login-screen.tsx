/** Logging in, signing up, entering as a guest, and logging in through a provider. */
import { useEffect, useState } from 'preact/hooks';
import type { ParleyClient } from '../../../client/parley-client.ts';
import { useAttempt } from '../../components/attempt.ts';
import { explainRefusal } from '../../components/chat-store.ts';
import { Field } from '../../components/field.tsx';
import { fieldsOf } from '../../components/form-fields.ts';
import { askPasskey, explainPasskey, passkeysWork } from '../../components/passkey.ts';
import { Refusal } from '../../components/refusal.tsx';
import { type Challenge, challengeOf, MfaForm } from './mfa-form.tsx';
import { type Provider, ProviderButtons, useProviders } from './provider-buttons.tsx';

type Mode = 'login' | 'signup' | 'guest' | 'forgot';

const words = {
  login: { title: 'Log in', action: 'Log in' },
  signup: { title: 'Sign up', action: 'Sign up' },
  guest: { title: 'Continue as a guest', action: 'Continue as guest' },
  forgot: { title: 'Reset your password', action: 'Send link' },
} as const satisfies Record<Mode, unknown>;

interface LoginScreenProps {
  readonly client: ParleyClient;
  readonly notice: string;
  /** The MFA challenge of a login that was begun elsewhere. */
  readonly begun: Challenge | undefined;
  readonly onEnter: () => void;
}

export function LoginScreen({ client, notice, begun, onEnter }: LoginScreenProps) {
  const [mode, setMode] = useState<Mode>('login');
  const [challenge, setChallenge] = useState(begun);
  const providers = useProviders(client);
  useEffect(() => setChallenge(begun), [begun]);

  if (challenge)
    return <MfaForm client={client} challenge={challenge} onEnter={onEnter} onBack={() => setChallenge(undefined)} />;
  return (
    <main class="entrance">
      <LoginForm
        key={mode}
        client={client}
        mode={mode}
        providers={providers}
        notice={notice}
        onMode={setMode}
        onChallenge={setChallenge}
        onEnter={onEnter}
      />
    </main>
  );
}

interface LoginFormProps extends Pick<LoginScreenProps, 'client' | 'notice' | 'onEnter'> {
  readonly mode: Mode;
  readonly providers: readonly Provider[];
  readonly onMode: (mode: Mode) => void;
  readonly onChallenge: (challenge: Challenge) => void;
}

function LoginForm({ client, mode, providers, notice, onMode, onChallenge, onEnter }: LoginFormProps) {
  const [done, setDone] = useState('');
  const { busy, problem, attempt } = useAttempt((error) => {
    const challenge = challengeOf(error);
    if (challenge) onChallenge(challenge);
    return challenge ? '' : (explainPasskey(error) ?? explainRefusal(error));
  });

  function submit(event: SubmitEvent): void {
    event.preventDefault();
    const field = fieldsOf(event);
    void attempt(async () => {
      if (mode === 'forgot') {
        await client.callOpen('POST', '/v1/auth/password/forgot', { email: field('email') });
        setDone('If there is an account with this address, a link is on its way.');
        return;
      }
      if (mode === 'login') await client.login(field('username'), field('password'));
      else if (mode === 'guest') await client.guest(field('displayName'));
      else await client.register({ username: field('username'), email: field('email'), password: field('password') });
      onEnter();
    });
  }
  const enterByPasskey = () =>
    attempt(async () => {
      await client.passkey(await askPasskey(() => client.callOpen('POST', '/v1/auth/passkey/options')));
      onEnter();
    });
  const enterByProvider = (name: string) => attempt(async () => location.assign(await client.beginProviderLogin(name)));

  return (
    <form class="card" onSubmit={submit}>
      <h1 class="brand">Parley</h1>
      <h2>{words[mode].title}</h2>
      {notice && <p class="notice">{notice}</p>}
      <ModeFields mode={mode} />
      <Refusal words={problem} />
      {done && <p role="status">{done}</p>}
      <button class="primary" type="submit" disabled={busy}>
        {words[mode].action}
      </button>
      {mode === 'login' && passkeysWork && (
        <button type="button" disabled={busy} onClick={() => void enterByPasskey()}>
          Use a passkey
        </button>
      )}
      {mode === 'login' && <ProviderButtons providers={providers} onChoose={(name) => void enterByProvider(name)} />}
      <ModeLinks mode={mode} onMode={onMode} />
    </form>
  );
}

function ModeFields({ mode }: { mode: Mode }) {
  const withPassword = mode === 'login' || mode === 'signup';
  return (
    <>
      {withPassword && (
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
      {withPassword && (
        <Field
          label="Password"
          name="password"
          type="password"
          autoComplete={mode === 'login' ? 'current-password' : 'new-password'}
        />
      )}
      {mode === 'guest' && <Field label="Display name" name="displayName" autoComplete="nickname" />}
    </>
  );
}

const links: readonly { to: Mode; words: string; from: readonly Mode[] }[] = [
  { to: 'login', words: 'I have an account', from: ['signup', 'guest', 'forgot'] },
  { to: 'signup', words: 'Sign up', from: ['login', 'guest', 'forgot'] },
  { to: 'guest', words: 'Continue as guest', from: ['login'] },
  { to: 'forgot', words: 'Forgot password?', from: ['login'] },
];

function ModeLinks({ mode, onMode }: Pick<LoginFormProps, 'mode' | 'onMode'>) {
  return (
    <nav class="switches" aria-label="Other login methods">
      {links
        .filter(({ from }) => from.includes(mode))
        .map(({ to, words: label }) => (
          <button type="button" class="link" key={to} onClick={() => onMode(to)}>
            {label}
          </button>
        ))}
    </nav>
  );
}
