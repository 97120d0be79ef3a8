/** A thread beside its room: the message that starts it, the replies, and a composer. */
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { knownMessage, type Message, type OwnRoom } from '../../client/parley-client.ts';
import { useAttempt } from '../components/attempt.ts';
import type { ChatState, ChatStore } from '../components/chat-store.ts';
import { placeOf } from '../components/page-places.ts';
import { Refusal } from '../components/refusal.tsx';
import { shownThread } from '../components/thread-views.ts';
import { Composer } from './composer/composer.tsx';
import { MessageItem, UnsentItem } from './message/message-item.tsx';
import { isLookedAt, startsGroup, useScrollKeeper } from './message-list.tsx';

interface ThreadPaneProps {
  readonly store: ChatStore;
  readonly state: ChatState;
  readonly room: OwnRoom;
  readonly threadId: string;
}

export function ThreadPane({ store, state, room, threadId }: ThreadPaneProps) {
  const input = useRef<HTMLTextAreaElement>(null);
  useEffect(() => {
    void store.threads.open(room.id, threadId);
    return () => void store.threads.open(room.id, undefined);
  }, [store, room.id, threadId]);
  return (
    <aside class="side-pane thread" aria-label="Thread">
      <header class="room-head">
        <h2>Thread</h2>
        <FollowButton store={store} roomId={room.id} threadId={threadId} />
        <a class="button" href={placeOf.room(room.id)} aria-label="Close thread">
          ✕
        </a>
      </header>
      <ThreadMessages
        store={store}
        state={state}
        room={room}
        threadId={threadId}
        onEditEnd={() => input.current?.focus()}
      />
      <Composer key={threadId} store={store} room={room} threadId={threadId} input={input} />
    </aside>
  );
}

function ThreadMessages({ store, state, room, threadId, onEditEnd }: ThreadPaneProps & { onEditEnd: () => void }) {
  const known = state.stores.get(room.id);
  const root = known && knownMessage(known, threadId);
  const replies = shownThread(state);
  const view = state.thread;
  const sent = (state.unsent.get(room.id) ?? []).filter(({ parts }) => parts?.threadId === threadId);
  const unsent = sent.filter(({ clientId }) => !replies.some((each) => each.clientId === clientId));
  const { scroller, content, keeper } = useScrollKeeper(readAlong);

  function readAlong(): void {
    if (keeper.current?.atEnd() && isLookedAt()) store.threads.markRead();
  }
  useLayoutEffect(() => keeper.current?.settle());
  useLayoutEffect(() => keeper.current?.toEnd(), [unsent.length]);
  useEffect(readAlong);

  const item = (message: Message, head: boolean) => (
    <MessageItem
      key={message.id}
      store={store}
      message={message}
      head={head}
      editing={state.edited.has(message.id)}
      onEditEnd={onEditEnd}
      inThread
    />
  );
  return (
    <div class="messages-place">
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard (WCAG 2.1.1) */}
      <div class="messages" ref={scroller} role="log" aria-label="Replies" tabIndex={0}>
        <div class="messages-content" ref={content}>
          {root && item(root, true)}
          <ThreadHead store={store} state={state} root={root} />
          {replies.map((message, index) => item(message, startsGroup(message, replies[index - 1])))}
          {unsent.map((each, index) => (
            <UnsentItem key={each.clientId} store={store} message={each} head={index === 0} />
          ))}
          {view?.loading && <p class="hint">Loading …</p>}
        </div>
      </div>
    </div>
  );
}

/** Between the first message and the replies. */
function ThreadHead({ store, state, root }: { store: ChatStore; state: ChatState; root: Message | undefined }) {
  const { thread: view } = state;
  const count = root?.thread?.replyCount ?? 0;
  if (view?.problem)
    return (
      <p class="problem" role="alert">
        The thread could not be loaded. {view.problem}{' '}
        <button type="button" class="link" onClick={() => void store.threads.reload()}>
          Try again
        </button>
      </p>
    );
  return (
    <p class="thread-count">
      {count > 0 && `${count} ${count === 1 ? 'reply' : 'replies'}`}
      {view?.hasOlder && !view.loading && (
        <button type="button" class="link" onClick={() => void store.threads.load()}>
          Show older replies
        </button>
      )}
    </p>
  );
}

/** The server follows for people who write. This tells it otherwise. */
function FollowButton({ store, roomId, threadId }: { store: ChatStore; roomId: string; threadId: string }) {
  const [follows, setFollows] = useState<boolean>();
  const { busy, problem, attempt } = useAttempt();
  const change = (next: boolean) =>
    void attempt(async () => {
      await store.client.followThread(roomId, threadId, next);
      setFollows(next);
    });
  useEffect(() => {
    void attempt(async () => {
      const threads = await store.client.threads();
      setFollows(threads.some(({ message }) => message.id === threadId));
    });
  }, [store, threadId]);
  if (follows === undefined) return null;
  return (
    <>
      <button type="button" class="link" disabled={busy} onClick={() => change(!follows)}>
        {follows ? 'Unfollow' : 'Follow'}
      </button>
      <Refusal words={problem} />
    </>
  );
}
