/** Several lines of text: Enter is the form's button, Shift+Enter begins a new line. Grows with its text to a bound. */
import type { Ref } from 'preact';
import { LengthHint } from './length-limit.tsx';

export function TextBox({
  label,
  value,
  lengthMax,
  placeholder,
  inputRef,
  onInput,
  onEnter,
  onBlur,
  onKeyDown,
}: {
  label: string;
  value: string;
  lengthMax: number;
  placeholder?: string;
  inputRef?: Ref<HTMLTextAreaElement>;
  onInput: (value: string) => void;
  onEnter: () => void;
  onBlur?: () => void;
  /** Keys other than Enter. */
  onKeyDown?: (event: KeyboardEvent) => void;
}) {
  return (
    <div class="text-box">
      {/* An invisible copy of the text gives the box its height: no script measures, nothing jumps. */}
      <div class="growing" data-text={value}>
        <textarea
          ref={inputRef}
          aria-label={label}
          rows={1}
          value={value}
          placeholder={placeholder ?? ''}
          onInput={(event) => onInput(event.currentTarget.value)}
          onBlur={onBlur}
          onKeyDown={(event) => {
            if (event.key !== 'Enter') onKeyDown?.(event);
            else if (!event.shiftKey && !event.isComposing) {
              event.preventDefault();
              onEnter();
            }
          }}
        />
      </div>
      <LengthHint text={value} lengthMax={lengthMax} />
    </div>
  );
}
