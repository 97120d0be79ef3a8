/** A small text engine whose texts say what the thread does: for tests of the code around the engine. */
import type { ThreadResult } from '../../src/processing/engine/engine.ts';
import type { TextTask } from '../../src/processing/engine/text-task.ts';
import { serveTasks } from '../../src/processing/pool/worker-thread.ts';

export interface ScriptedTextState {
  readonly blocked: readonly string[];
}

let blocked: readonly string[] = [];

serveTasks<TextTask, ThreadResult, ScriptedTextState>({
  apply: (state) => {
    blocked = state.blocked;
  },
  run: (task) => {
    const { text } = task;
    if (text.includes('spin for ever')) for (;;);
    const pause = /pause (\d+)/.exec(text)?.[1];
    if (pause) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, Number(pause));
    const word = blocked.find((each) => text.includes(each));
    const start = word ? text.indexOf(word) : 0;
    return {
      outcome: word ? 'block' : 'allow',
      spamScore: word ? 1 : 0,
      labels: word
        ? [{ name: 'rule', score: 1, start, end: start + word.length, matched: word, id: `rule:${word}` }]
        : [],
      html: task.render ? `<p>${text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')}</p>` : '',
      links: [],
      mentions: [...text.matchAll(/@(\w+)/g)].map((found) => ({
        name: found[1]!,
        start: found.index,
        end: found.index + found[0].length,
      })),
      fingerprint: String.fromCharCode(text.length & 0xff).repeat(32),
    };
  },
});
