/** The development mailbox, for admins on other machines than the server's. */
import { useEffect, useState } from 'preact/hooks';
import type { ParleyClient } from '../../client/parley-client.ts';
import { explainRefusal } from '../components/chat-store.ts';
import { Dialog } from '../components/dialog.tsx';
import { Refusal } from '../components/refusal.tsx';

interface KeptMail {
  readonly id: string;
  readonly to: string;
  readonly subject: string;
  readonly text: string;
  readonly createdAt: string;
}

export function MailboxDialog({ client, onClose }: { client: ParleyClient; onClose: () => void }) {
  const [mails, setMails] = useState<readonly KeptMail[]>();
  const [problem, setProblem] = useState('');
  useEffect(() => {
    client.call<{ items: readonly KeptMail[] }>('GET', '/dev/mailbox.json').then(
      ({ items }) => setMails(items),
      (error: unknown) => setProblem(explainRefusal(error)),
    );
  }, [client]);
  return (
    <Dialog title="Mailbox" onClose={onClose}>
      <Refusal words={problem} />
      <p class="hint">Mails that were not sent because no SMTP server is configured, newest first.</p>
      {mails?.length === 0 && <p>Nothing yet.</p>}
      {mails?.map(({ id, to, subject, text, createdAt }) => (
        <article key={id}>
          <h3>{subject}</h3>
          <p class="hint">
            To {to}, {new Date(createdAt).toLocaleString()}
          </p>
          <pre>{text}</pre>
        </article>
      ))}
    </Dialog>
  );
}
