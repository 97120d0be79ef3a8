/** Opened by links in mails: confirms an address, or sets a new password. */
import { useEffect, useState } from 'preact/hooks';
import { ClientError, type ParleyClient } from '../../../client/parley-client.ts';
import { explainRefusal } from '../../components/chat-store.ts';
import { Field } from '../../components/field.tsx';

export function AccountLinks({ client, hash }: { client: ParleyClient; hash: string }) {
  const token = new URLSearchParams(hash.slice(hash.indexOf('?'))).get('token') ?? '';
  return (
    <main class="entrance">
      <div class="card">
        <h1 class="brand">Parley</h1>
        {hash.startsWith('#/verify-email') ? (
          <VerifyEmail client={client} token={token} />
        ) : (
          <ResetPassword client={client} token={token} />
        )}
        <a href="#/">Go on to Parley</a>
      </div>
    </main>
  );
}

function VerifyEmail({ client, token }: { client: ParleyClient; token: string }) {
  const [words, setWords] = useState('One moment …');
  useEffect(() => {
    confirmAddress(client, token).then(
      () => setWords('Your address is confirmed. Thank you!'),
      (error: unknown) => setWords(explainRefusal(error)),
    );
  }, [client, token]);
  return <p role="status">{words}</p>;
}

/** Within this device's login, if it has a valid one: this proves that one person holds account and address. */
async function confirmAddress(client: ParleyClient, token: string): Promise<void> {
  try {
    if (client.user()) return await client.call('POST', '/v1/auth/verify-email', { token });
  } catch (error) {
    if (!(error instanceof ClientError && error.code === 'unauthenticated')) throw error;
  }
  await client.callOpen('POST', '/v1/auth/verify-email', { token, addressOnly: true });
}

function ResetPassword({ client, token }: { client: ParleyClient; token: string }) {
  const [words, setWords] = useState('');
  async function submit(event: SubmitEvent): Promise<void> {
    event.preventDefault();
    const password = String(new FormData(event.currentTarget as HTMLFormElement).get('password') ?? '');
    try {
      await client.callOpen('POST', '/v1/auth/password/reset', { token, password });
      setWords('Your password is changed. You can log in with it now.');
    } catch (error) {
      setWords(explainRefusal(error));
    }
  }
  return (
    <form onSubmit={(event) => void submit(event)}>
      <h2>New password</h2>
      <Field label="Password" name="password" type="password" autoComplete="new-password" />
      <p role="status">{words}</p>
      <button class="primary" type="submit">
        Set password
      </button>
    </form>
  );
}
