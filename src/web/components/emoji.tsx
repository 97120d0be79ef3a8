/** An emoji, or the picture of a custom emoji. */
import type { CustomEmoji } from '../../client/parley-client.ts';
import type { ChatStore } from './chat-store.ts';

export function Emoji({ store, emoji }: { store: ChatStore; emoji: string }) {
  const custom = store.state.customEmojis.find(({ name }: CustomEmoji) => `:${name}:` === emoji);
  if (custom) return <img class="custom-emoji" src={store.client.fileUrl(custom.url)} alt={emoji} />;
  return <span class="emoji">{emoji}</span>;
}
