/**
 * A text of several lines. With a real keyboard Enter submits and Shift+Enter begins a new line; soft keyboards have no Shift+Enter, so
 * there Enter begins a new line. Ctrl+Enter and Cmd+Enter always submit. The box grows with its text up to a bound.
 */
import type { Ref } from 'preact';
import { LengthHint } from './length-limit.tsx';
import { onTouchScreen } from './touch-screen.ts';

/** UI Events §9.3: the legacy key code of every key that an input method handles. */
const handledByInputMethod = 229;

/**
 * Whether an input method handles the key: Enter then confirms a composition and Escape cancels one. Safari ends the composition before
 * it reports the key, with `isComposing` already false; only the key code tells (WebKit bug 165004).
 */
function isForInputMethod({ isComposing, keyCode }: KeyboardEvent): boolean {
  return isComposing || keyCode === handledByInputMethod;
}

function submits({ key, shiftKey, ctrlKey, metaKey }: KeyboardEvent): boolean {
  return key === 'Enter' && (ctrlKey || metaKey || !(shiftKey || onTouchScreen));
}

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
  onKey,
  onSelect,
  list,
}: {
  label: string;
  value: string;
  lengthMax: number;
  placeholder?: string;
  inputRef?: Ref<HTMLTextAreaElement>;
  onInput: (value: string) => void;
  onEnter: () => void;
  onBlur?: () => void;
  /** Called for keys other than Enter. */
  onKeyDown?: (event: KeyboardEvent) => void;
  /** Called for each key before anything else. @returns whether it has handled the key */
  onKey?: (event: KeyboardEvent) => boolean;
  /** The caret was moved. */
  onSelect?: () => void;
  /** The list that completes the text, while it is shown, and its active option. */
  list?: { readonly id: string; readonly activeId: string } | undefined;
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
          enterkeyhint={onTouchScreen ? 'enter' : 'send'}
          onInput={(event) => onInput(event.currentTarget.value)}
          onBlur={onBlur}
          onSelect={onSelect}
          aria-autocomplete={onKey ? 'list' : undefined}
          aria-controls={list?.id}
          aria-activedescendant={list?.activeId}
          onKeyDown={(event) => {
            if (isForInputMethod(event) || onKey?.(event)) return;
            if (event.key !== 'Enter') onKeyDown?.(event);
            else if (submits(event)) {
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
