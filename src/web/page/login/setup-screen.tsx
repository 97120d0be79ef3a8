/** What a setup link opens: it makes the first admin, as a new account or as the one that is logged in here. */
import { useState } from 'preact/hooks';
import type { ParleyClient } from '../../../client/parley-client.ts';
import { explainRefusal } from '../../components/chat-store.ts';
import { Field } from '../../components/field.tsx';

export function SetupScreen({ client, hash, onDone }: { client: ParleyClient; hash: string; onDone: () => void }) {
  const token = new URLSearchParams(hash.slice(hash.indexOf('?'))).get('token') ?? '';
  const user = client.user();
  const [asNew, setAsNew] = useState(user === undefined || user.kind !== 'user');
  const [problem, setProblem] = useState('');
  const [busy, setBusy] = useState(false);

  async function submit(event: SubmitEvent): Promise<void> {
    event.preventDefault();
    const fields = new FormData(event.currentTarget as HTMLFormElement);
    const field = (name: string) => String(fields.get(name) ?? '');
    setBusy(true);
    setProblem('');
    try {
      if (asNew) {
        const account = { username: field('username'), email: field('email'), password: field('password') };
        await client.register({ ...account, setupToken: token });
      } else await client.claimSetup(token);
      onDone();
    } catch (error) {
      setProblem(explainRefusal(error));
    } finally {
      setBusy(false);
    }
  }

  return (
    <main class="entrance">
      <form class="card" onSubmit={(event) => void submit(event)}>
        <h1 class="brand">Parley</h1>
        <h2>Set up Parley</h2>
        {asNew ? (
          <>
            <p class="hint">This account will be the admin of this server.</p>
            <Field label="Username" name="username" autoComplete="username" />
            <Field label="Email" name="email" type="email" autoComplete="email" />
            <Field label="Password" name="password" type="password" autoComplete="new-password" />
          </>
        ) : (
          <p class="hint">You are logged in as {user?.username}. This account can become the admin of this server.</p>
        )}
        {problem && (
          <p class="problem" role="alert">
            {problem}
          </p>
        )}
        <button class="primary" type="submit" disabled={busy}>
          {asNew ? 'Sign up' : 'Make me the admin'}
        </button>
        {!asNew && (
          <button type="button" class="link" onClick={() => setAsNew(true)}>
            Sign up with another account
          </button>
        )}
        <a href="#/">Go on to Parley</a>
      </form>
    </main>
  );
}
