/** Opened by a setup link: makes the first admin, from a new account or from the one that is logged in here. */
import { useState } from 'preact/hooks';
import type { ParleyClient } from '../../../client/parley-client.ts';
import { useAttempt } from '../../components/attempt.ts';
import { Field } from '../../components/field.tsx';
import { fieldsOf } from '../../components/form-fields.ts';
import { Refusal } from '../../components/refusal.tsx';

export function SetupScreen({ client, hash, onDone }: { client: ParleyClient; hash: string; onDone: () => void }) {
  const token = new URLSearchParams(hash.slice(hash.indexOf('?'))).get('token') ?? '';
  const user = client.user();
  const [asNew, setAsNew] = useState(user === undefined || user.kind !== 'user');
  const { busy, problem, attempt } = useAttempt();

  function submit(event: SubmitEvent): void {
    event.preventDefault();
    const field = fieldsOf(event);
    void attempt(async () => {
      if (asNew) {
        const account = { username: field('username'), email: field('email'), password: field('password') };
        await client.register({ ...account, setupToken: token });
      } else await client.claimSetup(token);
      onDone();
    });
  }

  return (
    <main class="entrance">
      <form class="card" onSubmit={submit}>
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
        <Refusal words={problem} />
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
