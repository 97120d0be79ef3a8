/** What waits for the user: threads with new replies, bookmarks, drafts, and messages that are sent later. */
import type { ComponentChildren } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import type { Bookmark, Draft, FollowedThread, ScheduledMessage } from '../../../client/parley-client.ts';
import { useAttempt } from '../../components/attempt.ts';
import type { ChatStore } from '../../components/chat-store.ts';
import { Dialog } from '../../components/dialog.tsx';
import { placeOf } from '../../components/page-places.ts';
import { Refusal } from '../../components/refusal.tsx';

const calendar = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' });
const formatTime = (time: string) => calendar.format(new Date(time));

const tabs = { threads: 'Threads', bookmarks: 'Bookmarks', drafts: 'Drafts', scheduled: 'Scheduled' } as const;
export type LaterTab = keyof typeof tabs;

interface LaterDialogProps {
  readonly store: ChatStore;
  readonly first: LaterTab;
  readonly onClose: () => void;
}

export function LaterDialog({ store, first, onClose }: LaterDialogProps) {
  const [tab, setTab] = useState(first);
  const Tab = { threads: ThreadsTab, bookmarks: BookmarksTab, drafts: DraftsTab, scheduled: ScheduledTab }[tab];
  return (
    <Dialog title="Later" look="wide" onClose={onClose}>
      <div class="settings">
        <nav aria-label="Later">
          <ul>
            {Object.entries(tabs).map(([name, words]) => (
              <li key={name}>
                <button
                  type="button"
                  aria-current={tab === name ? 'true' : undefined}
                  onClick={() => setTab(name as LaterTab)}
                >
                  {words}
                </button>
              </li>
            ))}
          </ul>
        </nav>
        <div class="settings-body">
          <Tab store={store} onClose={onClose} />
        </div>
      </div>
    </Dialog>
  );
}

type TabProps = Pick<LaterDialogProps, 'store' | 'onClose'>;

/** Reads a list, and again after each piece of work. */
function useList<Item>(read: () => Promise<readonly Item[]>) {
  const [items, setItems] = useState<readonly Item[]>();
  const { problem, attempt, busy } = useAttempt();
  const afterwards = (work: () => Promise<unknown>) =>
    void attempt(async () => {
      await work();
      setItems(await read());
    });
  useEffect(() => afterwards(async () => undefined), []);
  return { items, problem, busy, afterwards };
}

function ThreadsTab({ store, onClose }: TabProps) {
  const { items, problem } = useList<FollowedThread>(() => store.client.threads());
  return (
    <Entries problem={problem} items={items} empty="You follow no threads yet. Replies to your messages appear here.">
      {items?.map(({ room, message, unread }) => (
        <Entry
          key={message.id}
          place={placeOf.thread(room.id, message.id)}
          room={room.name}
          text={message.text}
          from={message.sender.displayName}
          onOpen={onClose}
        >
          {unread > 0 && (
            <span class="count">
              {unread}
              <span class="unseen"> unread</span>
            </span>
          )}
        </Entry>
      ))}
    </Entries>
  );
}

function BookmarksTab({ store, onClose }: TabProps) {
  const { items, problem, busy, afterwards } = useList<Bookmark>(() => store.client.bookmarks());
  return (
    <Entries problem={problem} items={items} empty="No bookmarks yet. A message's menu keeps it for later.">
      {items?.map(({ roomId, messageId, message, note, remindAt }) => (
        <Entry
          key={messageId}
          place={placeOf.message(roomId, messageId)}
          room={store.state.rooms.get(roomId)?.name}
          text={message ? message.text : 'The message is gone.'}
          from={message?.sender.displayName}
          hint={[note, remindAt && `Reminder on ${formatTime(remindAt)}`].filter(Boolean).join(' · ')}
          onOpen={onClose}
        >
          <button
            type="button"
            disabled={busy}
            onClick={() => afterwards(() => store.client.removeBookmark(roomId, messageId))}
          >
            Remove
          </button>
        </Entry>
      ))}
    </Entries>
  );
}

function DraftsTab({ store, onClose }: TabProps) {
  const { items, problem, busy, afterwards } = useList<Draft>(() => store.client.drafts());
  return (
    <Entries problem={problem} items={items} empty="No drafts.">
      {items?.map((draft) => (
        <Entry
          key={`${draft.roomId} ${draft.threadId}`}
          place={draft.threadId ? placeOf.thread(draft.roomId, draft.threadId) : placeOf.room(draft.roomId)}
          room={store.state.rooms.get(draft.roomId)?.name}
          text={draft.text}
          hint={draft.threadId ? 'In a thread' : ''}
          onOpen={onClose}
        >
          <button
            type="button"
            disabled={busy}
            onClick={() =>
              afterwards(async () => {
                store.drafts.set(draft.threadId ?? draft.roomId, '');
                await store.client.saveDraft(draft.roomId, { text: '', threadId: draft.threadId });
              })
            }
          >
            Discard
          </button>
        </Entry>
      ))}
    </Entries>
  );
}

function ScheduledTab({ store, onClose }: TabProps) {
  const { items, problem, busy, afterwards } = useList<ScheduledMessage>(() => store.client.scheduled());
  return (
    <Entries problem={problem} items={items} empty="Nothing is scheduled. The composer's menu sends a message later.">
      {items?.map(({ id, roomId, text, sendAt, failure }) => (
        <Entry
          key={id}
          place={placeOf.room(roomId)}
          room={store.state.rooms.get(roomId)?.name}
          text={text}
          hint={failure ? `Not sent: ${failure.message}` : `To be sent on ${formatTime(sendAt)}`}
          onOpen={onClose}
        >
          <button type="button" disabled={busy} onClick={() => afterwards(() => store.client.cancelScheduled(id))}>
            Cancel
          </button>
        </Entry>
      ))}
    </Entries>
  );
}

function Entries({
  problem,
  items,
  empty,
  children,
}: {
  problem: string;
  items: readonly unknown[] | undefined;
  empty: string;
  children: ComponentChildren;
}) {
  return (
    <>
      <Refusal words={problem} />
      {!items && !problem && <p class="hint">Loading …</p>}
      {items?.length === 0 && <p class="hint">{empty}</p>}
      <ul class="entries">{children}</ul>
    </>
  );
}

function Entry({
  place,
  room,
  text,
  from,
  hint,
  onOpen,
  children,
}: {
  place: string;
  room: string | undefined;
  text: string;
  from?: string | undefined;
  hint?: string;
  onOpen: () => void;
  children: ComponentChildren;
}) {
  return (
    <li>
      <a class="entry" href={place} onClick={onOpen}>
        <span class="hint">
          <bdi>{room ?? 'A room that you have left'}</bdi>
          {from && (
            <>
              {' · '}
              <bdi>{from}</bdi>
            </>
          )}
        </span>
        <span class="entry-text" dir="auto">
          {text || 'A message without text'}
        </span>
        {hint && <span class="hint">{hint}</span>}
      </a>
      {children}
    </li>
  );
}
