/** A form of the settings, with its button and its result. */
import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import { useAttempt } from './attempt.ts';
import { fieldsOf } from './form-fields.ts';
import { Refusal } from './refusal.tsx';

export function SettingsForm({
  title,
  action,
  onSubmit,
  onBack,
  children,
}: {
  title: string;
  action: string;
  /** @returns the words to show when it is done */
  onSubmit: (field: (name: string) => string) => Promise<string>;
  onBack?: () => void;
  children: ComponentChildren;
}) {
  const [done, setDone] = useState('');
  const { busy, problem, attempt } = useAttempt();

  function submit(event: SubmitEvent): void {
    event.preventDefault();
    const form = event.currentTarget as HTMLFormElement;
    const field = fieldsOf(event);
    setDone('');
    void attempt(async () => {
      setDone(await onSubmit(field));
      for (const input of form.querySelectorAll<HTMLInputElement>('input[type=password]')) input.value = '';
    });
  }

  return (
    <form class="settings-form" onSubmit={submit} aria-label={title}>
      <h3>{title}</h3>
      {children}
      <Refusal words={problem} />
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
