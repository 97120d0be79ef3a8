/** Asks before something is done that cannot be undone. */
import { type ComponentChildren, createContext } from 'preact';
import { useCallback, useContext, useRef, useState } from 'preact/hooks';
import { Dialog } from './dialog.tsx';

export interface Question {
  /** Names in it as `<bdi>`. */
  readonly title: ComponentChildren;
  /** The consequences, and that they are final. */
  readonly words: ComponentChildren;
  /** The label of the button that does it, e.g. `Delete`. */
  readonly action: string;
}

/** Resolves with true only when the user pressed the button that is labelled with the action. */
export type Confirm = (question: Question) => Promise<boolean>;

const ConfirmContext = createContext<Confirm>(async () => false);

/** @returns the function that asks. The page has one dialog for all questions, at the end of the document. */
export function useConfirm(): Confirm {
  return useContext(ConfirmContext);
}

export function ConfirmProvider({ children }: { children: ComponentChildren }) {
  const [question, setQuestion] = useState<Question>();
  const answer = useRef<(confirmed: boolean) => void>(() => {});

  const confirm = useCallback<Confirm>((asked) => {
    // A second question answers the first one with no.
    answer.current(false);
    setQuestion(asked);
    return new Promise((resolve) => {
      answer.current = resolve;
    });
  }, []);

  function settle(confirmed: boolean): void {
    answer.current(confirmed);
    answer.current = () => {};
    setQuestion(undefined);
  }

  return (
    <ConfirmContext.Provider value={confirm}>
      {children}
      {question && <ConfirmDialog question={question} onAnswer={settle} />}
    </ConfirmContext.Provider>
  );
}

function ConfirmDialog({ question, onAnswer }: { question: Question; onAnswer: (confirmed: boolean) => void }) {
  return (
    <Dialog title={question.title} look="question" onClose={() => onAnswer(false)}>
      <div class="settings-form">
        <p>{question.words}</p>
        <div class="row end">
          {/* The safe answer has the focus: an Enter too many deletes nothing. */}
          <button type="button" data-first-focus onClick={() => onAnswer(false)}>
            Cancel
          </button>
          <button
            type="button"
            class="danger"
            // The second click of a double click was meant for the control that was here before.
            onClick={(event) => event.detail < 2 && onAnswer(true)}
          >
            {question.action}
          </button>
        </div>
      </div>
    </Dialog>
  );
}
