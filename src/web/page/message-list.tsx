/** The messages of the open room. New ones are marked, and count as read only once the newest end was in view. */
import { Fragment } from 'preact';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { Message, OwnRoom } from '../../client/parley-client.ts';
import type { ChatState, ChatStore } from '../components/chat-store.ts';
import { MessageItem, UnsentItem } from './message/message-item.tsx';
import { createScrollKeeper, type ScrollKeeper } from './scroll-keeper.ts';

/** Messages of one author within this time share one head. */
const groupMs = 5 * 60_000;
/** Older messages are loaded before the upper edge is reached. */
const loadAheadPx = 300;
/** Where the first new message is shown on opening, as a share of the height: some messages that were read are above it. */
const dividerShare = 0.25;

interface MessageListProps {
  readonly store: ChatStore;
  readonly state: ChatState;
  readonly room: OwnRoom;
}

/** Whether somebody can be looking at the page. In a window behind others nothing counts as read. */
export function isLookedAt(): boolean {
  return document.visibilityState === 'visible' && document.hasFocus();
}

export function MessageList({ store, state, room, onEditEnd }: MessageListProps & { onEditEnd: () => void }) {
  const view = state.views.get(room.id);
  const messages = view?.messages ?? [];
  const isNewest = view?.to === Number.POSITIVE_INFINITY;
  const unsent = (state.unsent.get(room.id) ?? []).filter(({ parts }) => !parts?.threadId || parts.alsoInRoom);
  const me = store.client.user()?.id;
  // A message's event may come before the answer to its sender.
  const unstored = unsent.filter(({ clientId }) => !messages.some((message) => message.clientId === clientId));
  const refused = unstored.filter(({ refusal }) => refusal !== undefined).length;
  const { scroller, content, keeper, atEnd } = useScrollKeeper(() => {
    readAlong();
    loadAhead();
  });
  const [newSince, clearDivider] = useNewSince(room, () => isReading());
  const firstNew = newSince === undefined ? undefined : firstAfter(messages, newSince, me);
  const divider = useRef<HTMLDivElement>(null);
  const opened = useRef(false);

  function isReading(): boolean {
    // As of now: the listeners below outlive this drawing.
    const reachesEnd = store.state.views.get(room.id)?.to === Number.POSITIVE_INFINITY;
    return opened.current && reachesEnd && (keeper.current?.atEnd() ?? false) && isLookedAt();
  }
  function readAlong(): void {
    if (isReading()) store.markRead(room.id);
  }
  function loadAhead(): void {
    if (!opened.current) return;
    const { scrollTop, scrollHeight, clientHeight } = scroller.current!;
    if (scrollTop <= loadAheadPx) void store.views.loadOlder(room.id);
    if (scrollHeight - scrollTop - clientHeight <= loadAheadPx) void store.views.loadNewer(room.id);
  }

  useLayoutEffect(() => {
    if (opened.current || !view || view.loading || view.problem) return;
    opened.current = true;
    store.readAlong(room.id);
    if (state.pointed) return;
    if (divider.current) keeper.current?.showAt(divider.current, dividerShare);
    else keeper.current?.toEnd();
  });
  const toNewest = () => void store.views.toNewest(room.id).then(() => keeper.current?.toEnd());
  useSentCount(unsent.length, () => {
    clearDivider();
    toNewest();
  });
  usePointed(state.pointed, messages, (element) => keeper.current?.showAt(element, dividerShare));
  useLayoutEffect(() => keeper.current?.settle());
  useEffect(readAlong);
  useEffect(() => {
    for (const event of ['focus', 'visibilitychange']) addEventListener(event, readAlong, true);
    return () => {
      for (const event of ['focus', 'visibilitychange']) removeEventListener(event, readAlong, true);
    };
  }, [store, room.id]);

  return (
    <div class="messages-place">
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard (WCAG 2.1.1) */}
      <div class="messages" ref={scroller} role="log" aria-label="Messages" tabIndex={0}>
        <div class="messages-content" ref={content}>
          <ListHead store={store} state={state} room={room} />
          {messages.map((message, index) => (
            <Fragment key={message.id}>
              {message === firstNew && (
                // biome-ignore lint/a11y/useSemanticElements: an hr cannot hold the words that are shown in it
                <div class="divider" ref={divider} role="separator" aria-label="New messages">
                  <span>New messages</span>
                </div>
              )}
              <MessageItem
                store={store}
                message={message}
                head={message === firstNew || startsGroup(message, messages[index - 1])}
                editing={state.edited.has(message.id)}
                onEditEnd={onEditEnd}
              />
            </Fragment>
          ))}
          {unstored.map((each, index) => (
            <UnsentItem
              key={each.clientId}
              store={store}
              message={each}
              head={index === 0 && messages.at(-1)?.sender.id !== me}
            />
          ))}
        </div>
      </div>
      {(!atEnd || !isNewest) && opened.current && (
        <JumpButton unread={room.unread} refused={refused} onJump={toNewest} />
      )}
    </div>
  );
}

/** Shown above the oldest message: older ones are loading, could not be loaded, or do not exist. */
function ListHead({ store, state, room }: MessageListProps) {
  const view = state.views.get(room.id);
  if (!view || view.loading) return <p class="hint">Loading …</p>;
  if (view.problem)
    return (
      <p class="problem" role="alert">
        The messages could not be loaded. {view.problem}{' '}
        <button type="button" class="link" onClick={() => void store.views.loadAgain(room.id)}>
          Try again
        </button>
      </p>
    );
  if (view.hasOlder) return null;
  return (
    <p class="hint">
      This is the beginning of {room.kind === 'dm' && 'your conversation with '}
      <bdi>{room.name}</bdi>
    </p>
  );
}

function JumpButton({ unread, refused, onJump }: { unread: number; refused: number; onJump: () => void }) {
  return (
    <div class="jump-place">
      {refused > 0 && (
        <p class="problem" role="alert">
          {refused === 1 ? 'A message was' : `${refused} messages were`} not sent.
        </p>
      )}
      <button type="button" class={`jump ${unread > 0 ? 'fresh' : ''}`} onClick={onJump}>
        {unread > 0 ? (
          <>
            {unread} new {unread === 1 ? 'message' : 'messages'}
            <span class="unseen">: jump to latest</span>
          </>
        ) : (
          'Jump to latest'
        )}{' '}
        <span aria-hidden="true">↓</span>
      </button>
    </div>
  );
}

/** @param onMove called after each change of the scroll position */
export function useScrollKeeper(onMove: () => void) {
  const scroller = useRef<HTMLDivElement>(null);
  const content = useRef<HTMLDivElement>(null);
  const keeper = useRef<ScrollKeeper>(null);
  const [atEnd, setAtEnd] = useState(true);
  const moved = useRef(onMove);
  moved.current = onMove;
  useLayoutEffect(() => {
    const created = createScrollKeeper({
      scroller: scroller.current!,
      content: content.current!,
      onMove: () => {
        setAtEnd(created.atEnd());
        moved.current();
      },
    });
    keeper.current = created;
    return created.stop;
  }, []);
  return { scroller, content, keeper, atEnd };
}

/**
 * The seq after which messages are new to the user: those unread on opening, and those that came later while nobody was reading. It stays
 * after they are read, so that the divider can still be found, until others come or the user writes.
 */
function useNewSince(room: OwnRoom, isReading: () => boolean): [number | undefined, () => void] {
  const [since, setSince] = useState(room.unread > 0 ? room.lastReadSeq : undefined);
  const unreadBefore = useRef(room.unread);
  useLayoutEffect(() => {
    if (unreadBefore.current === 0 && room.unread > 0 && !isReading()) setSince(room.lastReadSeq);
    unreadBefore.current = room.unread;
  }, [room.unread]);
  return [since, () => setSince(undefined)];
}

/** Brings the message that a link led to into view, once, and gives it the focus. */
function usePointed(pointed: string | undefined, messages: readonly Message[], show: (element: Element) => void): void {
  const shown = useRef<string | undefined>(undefined);
  useLayoutEffect(() => {
    if (pointed === shown.current) return;
    const element = pointed === undefined ? null : document.getElementById(`message-${pointed}`);
    if (pointed !== undefined && !element) return;
    shown.current = pointed;
    if (!element) return;
    show(element);
    element.focus({ preventScroll: true });
  }, [pointed, messages]);
}

/** Calls back after the user has sent something: there is one more unsent message than before. */
function useSentCount(count: number, onSent: () => void): void {
  const before = useRef(count);
  useLayoutEffect(() => {
    if (count > before.current) onSent();
    before.current = count;
  }, [count]);
}

function firstAfter(messages: readonly Message[], seq: number, me: string | undefined): Message | undefined {
  return messages.find((message) => message.seq > seq && message.sender.id !== me);
}

export function startsGroup(message: Message, previous: Message | undefined): boolean {
  if (!previous || previous.sender.id !== message.sender.id || previous.deletedAt) return true;
  return Date.parse(message.createdAt) - Date.parse(previous.createdAt) > groupMs;
}
