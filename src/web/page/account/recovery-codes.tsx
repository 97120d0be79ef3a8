/** New recovery codes. They are shown once. */
import { useState } from 'preact/hooks';
import { copyText } from '../../components/clipboard.ts';

export function RecoveryCodes({ codes, onKept }: { codes: readonly string[]; onKept: () => void }) {
  const [copied, setCopied] = useState(false);
  const copy = () =>
    copyText(codes.join('\n')).then(
      () => setCopied(true),
      () => setCopied(false),
    );
  return (
    <section class="settings-form" aria-label="Recovery codes">
      <h3>Your recovery codes</h3>
      <p>
        Each of them logs you in once when you have lost your other login methods. They are shown only now: keep them
        safe.
      </p>
      <ol class="codes">
        {codes.map((code) => (
          <li key={code}>
            <code>{code}</code>
          </li>
        ))}
      </ol>
      <div class="row">
        <button type="button" onClick={() => void copy()}>
          {copied ? 'Copied' : 'Copy'}
        </button>
        <button type="button" class="primary" onClick={onKept}>
          I have kept them
        </button>
      </div>
    </section>
  );
}
