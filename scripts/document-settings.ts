/** Writes the table of settings into docs/operations.md, between its two marks: `npm run document`. */
import { readFileSync, writeFileSync } from 'node:fs';
import { entries } from '../src/config/load.ts';

const manual = new URL('../docs/operations.md', import.meta.url);
const [begin, end] = ['<!-- settings -->', '<!-- /settings -->'];

function shown(value: unknown, kind: string): string {
  if (value === undefined) return '';
  if (kind === 'duration' && typeof value === 'number') return value % 1000 === 0 ? `${value / 1000} s` : `${value} ms`;
  if (kind === 'size' && typeof value === 'number') return `${value} B`;
  return `\`${JSON.stringify(value)}\``;
}

const rows = entries.map(({ path, setting, environmentNames }) => {
  const initial = setting.secret ? '' : shown(setting.fallback, setting.kind);
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
