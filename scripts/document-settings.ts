/** Writes the table of settings into docs/operations/settings.md, between its two marks: `npm run document`. */
import { readFileSync, writeFileSync } from 'node:fs';
import { entries } from '../src/config/load.ts';

const manual = new URL('../docs/operations/settings.md', import.meta.url);
const [begin, end] = ['<!-- settings -->', '<!-- /settings -->'];

const rows = entries.map(({ path, setting, environmentNames }) => {
  const isShown = !setting.secret && setting.fallback !== undefined;
  const initial = isShown ? `\`${setting.write(setting.fallback)}\`` : '';
  return `| \`${path}\` | ${environmentNames.map((name) => `\`${name}\``).join(' ')} | ${setting.kind.replaceAll('|', '\\|')} | ${initial} | ${setting.doc.replaceAll('|', '\\|')} |`;
});
const table = ['| key | environment | kind | default | meaning |', '| --- | --- | --- | --- | --- |', ...rows].join(
  '\n',
);
const text = readFileSync(manual, 'utf8');
writeFileSync(
  manual,
  `${text.slice(0, text.indexOf(begin) + begin.length)}\n${table}\n${text.slice(text.indexOf(end))}`,
);
