/** Sets up an authenticator app: shows its key, and proves by a code that the app has it. */
import type { ParleyClient } from '../../../client/parley-client.ts';
import { Field } from '../../components/field.tsx';
import { QrCode } from '../../components/qr-code.tsx';
import { SettingsForm } from '../../components/settings-form.tsx';

/** A key that the app does not have yet. */
export interface BegunTotp {
  readonly secret: string;
  /** `otpauth://…`, for the QR code. */
  readonly uri: string;
}

export function TotpSetup({
  client,
  begun,
  onBack,
  onDone,
}: {
  client: ParleyClient;
  begun: BegunTotp;
  onBack: () => void;
  /** @param recoveryCodes only with the first factor of an account */
  onDone: (recoveryCodes: readonly string[] | undefined) => Promise<void>;
}) {
  async function turnOn(code: string): Promise<void> {
    const { recoveryCodes } = await client.call<{ recoveryCodes: string[] | null }>(
      'POST',
      '/v1/users/me/second-factors/totp/confirm',
      { code: code.replace(/\s/g, '') },
    );
    await onDone(recoveryCodes ?? undefined);
  }
  return (
    <SettingsForm
      title="Set up an authenticator app"
      action="Turn on"
      onBack={onBack}
      onSubmit={async (field) => {
        await turnOn(field('code'));
        return '';
      }}
    >
      <p>Scan this with your authenticator app, or type the key into it. Then enter the code that it shows.</p>
      <QrCode text={begun.uri} label="QR code for the authenticator app" />
      <p class="key">
        <span class="hint">Key</span> <code>{begun.secret.match(/.{1,4}/g)!.join(' ')}</code>
      </p>
      <Field label="Code" name="code" inputMode="numeric" autoComplete="one-time-code" />
    </SettingsForm>
  );
}
