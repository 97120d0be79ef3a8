import type { ChatStore } from '../components/chat-store.ts';

/** The props of each pane of moderation. */
export interface ModerationPaneProps {
  readonly store: ChatStore;
  /** Undefined: all rooms. */
  readonly roomId: string | undefined;
}
