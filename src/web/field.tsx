/** A labelled line of text. */
interface FieldProps {
  readonly label: string;
  readonly name: string;
  readonly type?: 'text' | 'email' | 'password';
  readonly autoComplete?: string;
  readonly hint?: string | undefined;
  readonly required?: boolean;
}

export function Field({ label, name, type = 'text', autoComplete = 'off', hint, required = true }: FieldProps) {
  return (
    <div class="field">
      <label for={`field-${name}`}>{label}</label>
      <input
        id={`field-${name}`}
        name={name}
        type={type as 'text'}
        autoComplete={autoComplete}
        required={required}
        placeholder={hint ?? ''}
      />
    </div>
  );
}
