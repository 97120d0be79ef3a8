/** How fast one thread renders: chat lines as they are, lines full of Markdown, and texts made to be slow. */

import { render } from '../../src/transform/render.ts';
import { hostileTexts } from '../../test/fuzz/hostile-texts.ts';
import { readJson, rows } from './shipped.ts';
import { milliseconds, perSecond, type Row, type Suite } from './suite.ts';

const emoji = new Map(Object.entries(readJson<Readonly<Record<string, string>>>('artefacts/emoji.json')));

/** Chat lines in the dress of people who know Markdown. */
export function markedLines(lines: readonly string[]): string[] {
  const dress: readonly ((line: string, at: number) => string)[] = [
    (line, at) => `**${line.slice(0, 20)}** ${line.slice(20)} \`code ${at}\``,
    (line, at) => `> ${line}\n\n${line} https://example.org/a/${at}?b=c`,
    (line) => `- one ${line}\n- two *it* :tada: @ana`,
    (line, at) => `[${line.slice(0, 10).replace(/[[\]]/g, '')}](https://example.com/${at}) ${line}`,
    (line) => `\`\`\`js\n${line}\n\`\`\``,
  ];
  return lines.map((line, at) => dress[at % dress.length]!(line, at));
}

function cpuMs(work: () => void): number {
  const before = process.threadCpuUsage();
  work();
  const { user, system } = process.threadCpuUsage(before);
  return (user + system) / 1000;
}

function rateOf(texts: readonly string[]): number {
  const once = () => {
    for (const text of texts) render(text, { emoji });
  };
  once();
  return texts.length / (Math.min(cpuMs(once), cpuMs(once), cpuMs(once)) / 1000);
}

/**
 * The slowest of all hostile shapes at a length. By the clock, as the processor's time is counted in steps of as much as such a
 * text takes; the least of several has no neighbour in it.
 */
function slowest(length: number): number {
  const times = Object.values(hostileTexts).map((make) => {
    const text = make(length);
    let least = Number.POSITIVE_INFINITY;
    for (let round = 0; round < 10; round++) {
      const beganMs = performance.now();
      render(text, { emoji });
      least = Math.min(least, performance.now() - beganMs);
    }
    return least;
  });
  return Math.max(...times);
}

export const renderSpeedSuite: Suite = {
  name: 'render-speed',
  title: 'Markdown to safe HTML on one thread',
  quick: false,
  run: () => {
    const lines = rows('ham/irc-ubuntu.dev.jsonl.gz').map(({ text }) => text);
    const rate = (name: string, texts: readonly string[]): Row => ({
      name,
      figures: { rate: perSecond(rateOf(texts), { least: 10_000, goal: 20_000 }) },
    });
    slowest(2000); // warm
    return [
      rate('chat lines', lines),
      rate('chat lines full of Markdown', markedLines(lines)),
      {
        name: 'slowest of 165 hostile shapes, 8 KiB',
        figures: { time: milliseconds(slowest(8192), { most: 15, goal: 3 }) },
      },
      { name: 'the same, 64 KiB', figures: { time: milliseconds(slowest(65_536), { most: 100, goal: 25 }) } },
    ];
  },
};
