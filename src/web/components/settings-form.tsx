/** A form of the settings: does its work, and says what came of it. */
import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import { explainRefusal } from './chat-store.ts';

export function SettingsForm({
  title,
  action,
  onSubmit,
  onBack,
  children,
}: {
  title: string;
  action: string;
  /** @returns what to say when it is done */
  onSubmit: (field: (name: string) => string) => Promise<string>;
  onBack?: () => void;
  children: ComponentChildren;
}) {
  const [problem, setProblem] = useState('');
  const [done, setDone] = useState('');
  const [busy, setBusy] = useState(false);

  async function submit(event: SubmitEvent): Promise<void> {
    event.preventDefault();
    const form = event.currentTarget as HTMLFormElement;
    const fields = new FormData(form);
    setBusy(true);
    setProblem('');
    setDone('');
    try {
      setDone(await onSubmit((name) => String(fields.get(name) ?? '')));
      for (const input of form.querySelectorAll<HTMLInputElement>('input[type=password]')) input.value = '';
    } catch (error) {
      setProblem(explainRefusal(error));
    } finally {
      setBusy(false);
    }
  }

  return (
    <form class="settings-form" onSubmit={(event) => void submit(event)} aria-label={title}>
      <h3>{title}</h3>
      {children}
      {problem && (
        <p class="problem" role="alert">
          {problem}
        </p>
      )}
      {done && (
        <p class="notice" role="status">
          {done}
        </p>
      )}
      <div class="row">
        <button class="primary" type="submit" disabled={busy}>
          {action}
        </button>
        {onBack && (
          <button type="button" onClick={onBack}>
            Not now
          </button>
        )}
      </div>
    </form>
  );
}
