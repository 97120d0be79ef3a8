/** What this device remembers of the emoji that the user chose. */
import type { DeviceStorage } from './device-storage.ts';

const recentMax = 24;
/** Until the user has chosen others. */
const firstRecent = ['👍', '❤️', '😂', '🎉', '👀', '✅'];

export interface EmojiMemory {
  readonly recent: () => readonly string[];
  readonly use: (emoji: string) => void;
  /** 0: none; 1 to 5. */
  readonly tone: () => number;
  readonly setTone: (tone: number) => void;
}

export function createEmojiMemory(storage: DeviceStorage): EmojiMemory {
  const recent = () => [...new Set([...storage.get('recent').split(' ').filter(Boolean), ...firstRecent])];
  return {
    recent,
    use: (emoji) =>
      storage.set('recent', [emoji, ...recent().filter((each) => each !== emoji)].slice(0, recentMax).join(' ')),
    tone: () => Number(storage.get('tone')) || 0,
    setTone: (tone) => storage.set('tone', String(tone)),
  };
}
