/** Made by vite.config.ts from the data of `emoji-picker-element-data`. */
declare module 'virtual:emoji-list' {
  /** Name, words to find it by, and the emoji: without a skin tone first, then with each of the five. */
  type ListedEmoji = readonly [name: string, words: string, ...forms: string[]];
  /** By group, in Unicode's order. */
  const groups: readonly (readonly ListedEmoji[])[];
  export default groups;
}
