import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
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

/** The page at `/`: src/web on top of src/client, built into dist/web. */
export default defineConfig({
  root: 'src/web',
  // Addresses relative to the page: it may be below a path behind a proxy.
  base: './',
  plugins: [compressOutput()],
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: { outDir: '../../dist/web', emptyOutDir: true, target: 'es2022', assetsInlineLimit: 0 },
});
