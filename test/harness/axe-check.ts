/** What assistive technologies would stumble over in a page, as axe finds it. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Page } from 'playwright-core';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

interface Violation {
  readonly id: string;
  readonly nodes: readonly { readonly html: string }[];
}

/** @returns one line for each rule that the page breaks as it is; the best answer is none */
export async function violations(page: Page): Promise<string[]> {
  // An expression, not a script element: the page's policy allows none of ours.
  await page.evaluate(axe);
  const found = (await page.evaluate('axe.run(document)')) as { readonly violations: readonly Violation[] };
  return found.violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 200)).join(' ')}`);
}
