/** The actions on a message: one list, shown as tools beside it or as a sheet after a long press. */
import { useState } from 'preact/hooks';
import type { Message } from '../../../client/parley-client.ts';
import { type ChatStore, moderates } from '../../components/chat-store.ts';
import { copyText } from '../../components/clipboard.ts';
import { type Confirm, useConfirm } from '../../components/confirm.tsx';
import { Dialog } from '../../components/dialog.tsx';
import { Icon } from '../../components/icon.tsx';
import { placeOf } from '../../components/page-places.ts';
import { Menu, usePopover } from '../../components/popover.tsx';
import { BookmarkDialog } from './bookmark-dialog.tsx';
import { ForwardDialog } from './forward-dialog.tsx';
import { MemberActions } from './member-actions.tsx';
import { QuickReactions, ReactButton } from './reaction-list.tsx';
import { ReportDialog } from './report-dialog.tsx';

interface Action {
  readonly name: string;
  readonly danger?: boolean;
  readonly run: () => void;
}

type Opened = 'report' | 'moderate' | 'forward' | 'remind' | undefined;

interface MessageActionsProps {
  readonly store: ChatStore;
  readonly message: Message;
  readonly onEdit: () => void;
  /** Does the work, and shows at the message why it was refused. */
  readonly attempt: (work: () => Promise<unknown>) => void;
  readonly sheet: boolean;
  readonly onSheetClose: () => void;
  readonly inThread: boolean;
}

export function MessageActions(props: MessageActionsProps) {
  const { store, message, attempt, sheet, onSheetClose, inThread } = props;
  const [opened, setOpened] = useState<Opened>();
  const { direct, more } = useActions(props, setOpened);
  const menu = usePopover();
  const close = () => setOpened(undefined);
  return (
    <>
      <div class="message-tools">
        <ReactButton store={store} message={message} attempt={attempt} />
        {!inThread && <ThreadButton message={message} />}
        {direct.map(({ name, run }) => (
          <button type="button" class="link" key={name} onClick={run}>
            {name}
          </button>
        ))}
        <button
          type="button"
          class="icon-button"
          ref={menu.anchor}
          aria-label="More actions"
          title="More actions"
          aria-haspopup="menu"
          aria-expanded={menu.open}
          {...menu.handlers}
        >
          <Icon name="more" />
        </button>
        {menu.open && <Menu items={more} anchor={menu.anchor} label="More actions" onClose={menu.close} />}
      </div>
      {sheet && (
        <ActionSheet
          {...props}
          actions={[...(inThread ? [] : [replyAction(message)]), ...more, ...direct]}
          onClose={onSheetClose}
        />
      )}
      {opened === 'report' && <ReportDialog store={store} message={message} onClose={close} />}
      {opened === 'moderate' && (
        <MemberActions store={store} roomId={message.roomId} person={message.sender} onClose={close} />
      )}
      {opened === 'forward' && <ForwardDialog store={store} message={message} onClose={close} />}
      {opened === 'remind' && <BookmarkDialog store={store} message={message} onClose={close} />}
    </>
  );
}

function ThreadButton({ message }: { message: Message }) {
  const { roomId, id, threadId } = message;
  return (
    <a
      class="icon-button"
      href={placeOf.thread(roomId, threadId ?? id)}
      aria-label="Reply in thread"
      title="Reply in thread"
    >
      <Icon name="thread" />
    </a>
  );
}

function replyAction({ roomId, id, threadId }: Message): Action {
  return {
    name: 'Reply in thread',
    run: () => {
      location.hash = placeOf.thread(roomId, threadId ?? id);
    },
  };
}

/** The actions that this user may take: few are shown directly, the others in a menu. */
function useActions(
  { store, message, onEdit, attempt, inThread }: MessageActionsProps,
  open: (opened: Opened) => void,
): { direct: readonly Action[]; more: readonly Action[] } {
  const confirm = useConfirm();
  const room = store.state.rooms.get(message.roomId);
  const mine = message.sender.id === store.userId;
  const mayModerate = moderates(store.client, room);
  const remove: Action = {
    name: 'Delete',
    danger: true,
    run: () => void removeMessage({ store, message, confirm, attempt }),
  };
  const forOthers: readonly Action[] = [
    { name: 'Report', run: () => open('report') },
    ...(mayModerate ? [{ name: 'Moderate', run: () => open('moderate') }, remove] : []),
  ];
  const direct = mine ? [{ name: 'Edit', run: onEdit }, remove] : forOthers;
  return { direct, more: moreActions({ store, message, attempt, inThread, mayModerate }, open) };
}

function moreActions(
  {
    store,
    message,
    attempt,
    inThread,
    mayModerate,
  }: Pick<MessageActionsProps, 'store' | 'message' | 'attempt' | 'inThread'> & { mayModerate: boolean },
  open: (opened: Opened) => void,
): readonly Action[] {
  const { roomId, id, pinned, text, seq } = message;
  const { client } = store;
  const room = store.state.rooms.get(roomId);
  const mayPin = room !== undefined && (room.kind === 'dm' || room.pins !== 'moderators' || mayModerate);
  const pin: Action = pinned
    ? { name: 'Unpin', run: () => attempt(() => client.unpin(roomId, id)) }
    : { name: 'Pin', run: () => attempt(() => client.pin(roomId, id)) };
  return [
    { name: 'Copy text', run: () => attempt(() => copyText(text)) },
    { name: 'Copy link', run: () => attempt(() => copyText(linkTo(message))) },
    { name: 'Forward …', run: () => open('forward') },
    { name: 'Bookmark …', run: () => open('remind') },
    ...(mayPin ? [pin] : []),
    ...(room && !inThread
      ? [{ name: 'Mark unread from here', run: () => attempt(() => store.markUnread(roomId, seq)) }]
      : []),
  ];
}

/** The address of the message on this page. */
function linkTo({ roomId, id, threadId, alsoInRoom }: Message): string {
  const place = threadId && !alsoInRoom ? placeOf.inThread(roomId, threadId, id) : placeOf.message(roomId, id);
  return new URL(place, location.href).href;
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
  store,
  message,
  attempt,
  actions,
  onClose,
}: Pick<MessageActionsProps, 'store' | 'message' | 'attempt'> & { actions: readonly Action[]; onClose: () => void }) {
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
      <QuickReactions
        store={store}
        message={message}
        attempt={(work) => {
          attempt(work);
          onClose();
        }}
      />
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
