import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import { defineConfig, type Plugin } from 'vite';

/** Kinds of files that are text; the others are compressed already. */
const compressible = /\.(?:html|js|css|svg|json|txt|webmanifest)$/;

/** Puts `name.br` and `name.gz` beside each built file that gets smaller by it. The server picks one (src/http/web-page.ts). */
function compressOutput(): Plugin {
  return {
    name: 'parley-compress',
    apply: 'build',
    writeBundle: ({ dir = '' }) => {
      const files = readdirSync(dir, { recursive: true, encoding: 'utf8' }).filter((name) => compressible.test(name));
      for (const path of files.map((name) => join(dir, name))) {
        const content = readFileSync(path);
        const brotli = brotliCompressSync(content, {
          params: {
            [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY,
            [constants.BROTLI_PARAM_SIZE_HINT]: content.length,
          },
        });
        const gzip = gzipSync(content, { level: constants.Z_BEST_COMPRESSION });
        if (brotli.length < content.length) writeFileSync(`${path}.br`, brotli);
        if (gzip.length < content.length) writeFileSync(`${path}.gz`, gzip);
      }
    },
  };
}

interface EmojiData {
  readonly annotation: string;
  readonly emoji: string;
  readonly group?: number;
  readonly tags?: readonly string[];
  readonly shortcodes?: readonly string[];
  readonly skins?: readonly { readonly emoji: string; readonly tone: number | readonly number[] }[];
}

const emojiListId = 'virtual:emoji-list';

/** Brings the list of emoji into the bundle, with what the picker needs alone: a quarter of the data's size. */
function emojiList(): Plugin {
  return {
    name: 'parley-emoji-list',
    resolveId: (id) => (id === emojiListId ? `\0${emojiListId}` : undefined),
    load: (id) => {
      if (id !== `\0${emojiListId}`) return undefined;
      const path = createRequire(import.meta.url).resolve('emoji-picker-element-data/en/emojibase/data.json');
      const data = (JSON.parse(readFileSync(path, 'utf8')) as EmojiData[]).filter(({ group }) => group !== undefined);
      const groups = Map.groupBy(data, ({ group }) => group!);
      const listed = [...groups].map(([, group]) => group.map(toListed));
      return `export default JSON.parse(${JSON.stringify(JSON.stringify(listed))})`;
    },
  };
}

function toListed({ annotation, emoji, tags = [], shortcodes = [], skins = [] }: EmojiData): string[] {
  const words = new Set([...tags, ...shortcodes.flatMap((each) => each.split('_'))]);
  for (const word of annotation.split(' ')) words.delete(word);
  const oneTone = skins.filter(({ tone }) => typeof tone === 'number').map((skin) => skin.emoji);
  return [annotation, [...words].join(' '), emoji, ...oneTone];
}

/** The page at `/`: src/web on top of src/client, built into dist/web. */
export default defineConfig({
  root: 'src/web',
  // Addresses relative to the page: it may be below a path behind a proxy.
  base: './',
  plugins: [emojiList(), compressOutput()],
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: { outDir: '../../dist/web', emptyOutDir: true, target: 'es2022', assetsInlineLimit: 0 },
});
