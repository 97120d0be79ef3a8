/** A labelled input of one line. */
import { useEffect, useRef } from 'preact/hooks';

interface FieldProps {
  readonly label: string;
  readonly name: string;
  readonly type?: 'text' | 'email' | 'password';
  readonly autoComplete?: string;
  readonly hint?: string | undefined;
  readonly required?: boolean;
  readonly value?: string | undefined;
  readonly inputMode?: 'numeric' | undefined;
  readonly autoFocus?: boolean;
}

export function Field({
  label,
  name,
  type = 'text',
  autoComplete = 'off',
  hint,
  required = true,
  value,
  inputMode,
  autoFocus,
}: FieldProps) {
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => {
    if (autoFocus) input.current?.focus();
  }, [autoFocus]);
  return (
    <div class="field">
      <label for={`field-${name}`}>{label}</label>
      <input
        ref={input}
        id={`field-${name}`}
        name={name}
        defaultValue={value ?? ''}
        inputMode={inputMode}
        type={type as 'text'}
        autoComplete={autoComplete}
        required={required}
        placeholder={hint ?? ''}
      />
    </div>
  );
}
