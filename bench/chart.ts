/** Draws the ratios of a run: one bar per figure, on a logarithmic scale. */
import type { Row } from './measure.ts';

interface Group {
  readonly title: string;
  readonly rows: readonly (Row & { readonly ratio: number })[];
}

const width = 960;
const labelWidth = 470;
const rowHeight = 22;
const scale = (width - labelWidth - 90) / 4;
/** The scale goes from 0.1 to 1,000. */
const lengthOf = (ratio: number) => Math.max(2, (Math.log10(Math.max(ratio, 0.1)) + 1) * scale);
const escapeText = (text: string) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');

/** @returns an SVG document that is readable in light and dark */
export function chart(groups: readonly Group[]): string {
  const lines: string[] = [];
  let y = 30;
  for (const { title, rows } of groups) {
    const less = rows.some(({ goal }) => goal !== undefined && 'most' in goal) ? ' (less is better)' : '';
    lines.push(`<text class="title" x="10" y="${y}">${escapeText(title + less)}</text>`);
    y += 8;
    for (const { what, ratio, goal } of rows) {
      const own = what.startsWith('Parley');
      const met = goal === undefined || ('least' in goal ? ratio >= goal.least : ratio <= goal.most);
      lines.push(
        `<text x="${labelWidth - 8}" y="${y + 15}" text-anchor="end">${escapeText(what.split(';')[0]!)}</text>`,
        `<rect class="${own ? 'own' : 'peer'}" x="${labelWidth}" y="${y + 3}" width="${lengthOf(ratio).toFixed(1)}" height="15" rx="3"/>`,
        `<text x="${(labelWidth + lengthOf(ratio) + 6).toFixed(1)}" y="${y + 15}">${ratio.toFixed(2)} ×${met ? '' : ' (short of its goal)'}</text>`,
      );
      y += rowHeight;
    }
    y += 28;
  }
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${y}" width="${width}" height="${y}" role="img" aria-label="Ratios of one benchmark run">
<style>text{font:12px system-ui,sans-serif;fill:#333}.title{font-weight:600;font-size:14px}.own{fill:#2b7a78}.peer{fill:#a9b4bf}@media(prefers-color-scheme:dark){text{fill:#ddd}.peer{fill:#5b6670}.own{fill:#4fb3ae}}</style>
${lines.join('\n')}
</svg>
`;
}
