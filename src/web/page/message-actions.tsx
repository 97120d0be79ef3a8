/** The actions on a message: one list, shown as tools beside it or as a sheet after a long press. */
import { useState } from 'preact/hooks';
import type { Message } from '../../client/parley-client.ts';
import { type ChatStore, moderates } from '../components/chat-store.ts';
import { copyText } from '../components/clipboard.ts';
import { type Confirm, useConfirm } from '../components/confirm.tsx';
import { Dialog } from '../components/dialog.tsx';
import { MemberActions } from './member-actions.tsx';
import { ReportDialog } from './report-dialog.tsx';

interface Action {
  readonly name: string;
  readonly danger?: boolean;
  readonly run: () => void;
}

type Opened = 'sheet' | 'report' | 'moderate' | undefined;

interface MessageActionsProps {
  readonly store: ChatStore;
  readonly message: Message;
  readonly onEdit: () => void;
  /** Does the work, and shows at the message why it was refused. */
  readonly attempt: (work: () => Promise<unknown>) => void;
  readonly sheet: boolean;
  readonly onSheetClose: () => void;
}

export function MessageActions({ store, message, onEdit, attempt, sheet, onSheetClose }: MessageActionsProps) {
  const confirm = useConfirm();
  const [opened, setOpened] = useState<Opened>();
  const mine = message.sender.id === store.client.user()?.id;
  const mayModerate = moderates(store.client, store.state.rooms.get(message.roomId));
  const close = () => setOpened(undefined);

  const remove: Action = {
    name: 'Delete',
    danger: true,
    run: () => void removeMessage({ store, message, confirm, attempt }),
  };
  const actions: readonly Action[] = mine
    ? [{ name: 'Edit', run: onEdit }, remove]
    : [
        { name: 'Report', run: () => setOpened('report') },
        ...(mayModerate ? [{ name: 'Moderate', run: () => setOpened('moderate') }, remove] : []),
      ];

  // A long press opens the sheet and so cannot select text.
  const copy: Action = { name: 'Copy text', run: () => attempt(() => copyText(message.text)) };

  return (
    <>
      <div class="message-tools">
        {actions.map(({ name, run }) => (
          <button type="button" class="link" key={name} onClick={run}>
            {name}
          </button>
        ))}
      </div>
      {sheet && <ActionSheet message={message} actions={[copy, ...actions]} onClose={onSheetClose} />}
      {opened === 'report' && <ReportDialog store={store} message={message} onClose={close} />}
      {opened === 'moderate' && (
        <MemberActions store={store} roomId={message.roomId} person={message.sender} onClose={close} />
      )}
    </>
  );
}

async function removeMessage({
  store,
  message,
  confirm,
  attempt,
}: Pick<MessageActionsProps, 'store' | 'message' | 'attempt'> & { confirm: Confirm }): Promise<void> {
  const confirmed = await confirm({
    title: 'Delete message?',
    words: 'It is deleted for everybody in the room. This cannot be undone.',
    action: 'Delete',
  });
  if (confirmed) attempt(() => store.client.remove(message.roomId, message.id));
}

function ActionSheet({
  message,
  actions,
  onClose,
}: {
  message: Message;
  actions: readonly Action[];
  onClose: () => void;
}) {
  return (
    <Dialog
      title={
        <>
          Message by <bdi>{message.sender.displayName}</bdi>
        </>
      }
      look="sheet"
      onClose={onClose}
    >
      <ul class="sheet-actions">
        {actions.map(({ name, danger, run }) => (
          <li key={name}>
            <button
              type="button"
              class={danger ? 'danger' : ''}
              onClick={() => {
                run();
                onClose();
              }}
            >
              {name}
            </button>
          </li>
        ))}
      </ul>
    </Dialog>
  );
}
