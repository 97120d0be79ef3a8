/**
 * Measures the engine on the data sets of `data/moderation`: `npm run evaluate`. Every suite prints its rows; a figure
 * beyond its floor fails the run. Flags: `--quick` the quick suites only (what `npm run check` runs), `--only name,name`.
 */
import { parseArgs } from 'node:util';
import type { Figure, Row } from './suite.ts';
import { suites } from './suites.ts';

const { values } = parseArgs({ options: { quick: { type: 'boolean', default: false }, only: { type: 'string' } } });

const marks = { broken: ' ✗', short: ' ·', fine: '' } as const;

function stateOf({ value, least, most, goal, unit }: Figure): keyof typeof marks {
  if ((least !== undefined && !(value >= least)) || (most !== undefined && !(value <= most))) return 'broken';
  if (goal === undefined) return 'fine';
  const lowIsGood = most !== undefined || unit === 'milliseconds';
  return (lowIsGood ? value <= goal : value >= goal) ? 'fine' : 'short';
}

function print({ value, unit }: Figure): string {
  if (Number.isNaN(value)) return '–';
  if (unit === 'share') return (value * 100).toFixed(value < 0.01 ? 3 : 1);
  if (unit === 'milliseconds') return `${value.toFixed(value < 10 ? 3 : 1)} ms`;
  if (unit === 'perSecond') return `${Math.round(value).toLocaleString('en-GB')}/s`;
  return Math.round(value).toLocaleString('en-GB');
}

/** Rows with the same headings share a table. */
function printTable(rows: readonly Row[]): void {
  for (let at = 0; at < rows.length; ) {
    const headings = Object.keys(rows[at]!.figures);
    let end = at;
    while (end < rows.length && Object.keys(rows[end]!.figures).join() === headings.join()) end++;
    const cells = rows
      .slice(at, end)
      .map(({ name, figures }) => [name, ...Object.values(figures).map((each) => print(each) + marks[stateOf(each)])]);
    const table = [['', ...headings], ...cells];
    const widths = table[0]!.map((_, column) => Math.max(...table.map((row) => row[column]!.length)));
    for (const row of table)
      process.stdout.write(
        `  ${row.map((cell, column) => (column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!))).join('  ')}\n`,
      );
    at = end;
  }
}

let broken = 0;
const only = values.only?.split(',');
for (const suite of suites) {
  if (only ? !only.includes(suite.name) : values.quick && !suite.quick) continue;
  const startedMs = performance.now();
  const rows = await suite.run({ quick: values.quick });
  process.stdout.write(`\n${suite.name}: ${suite.title} (${((performance.now() - startedMs) / 1000).toFixed(1)} s)\n`);
  printTable(rows);
  for (const { name, figures } of rows)
    for (const [heading, figure] of Object.entries(figures))
      if (stateOf(figure) === 'broken') {
        broken++;
        const bound = figure.least === undefined ? `most ${figure.most}` : `least ${figure.least}`;
        process.stdout.write(`  ✗ ${name}, ${heading}: ${figure.value} (${bound})\n`);
      }
}
process.stdout.write(`\nshares in percent; ✗ outside its bound, · short of its goal; ${broken} outside their bounds\n`);
process.exitCode = broken === 0 ? 0 : 1;
