import { readFileSync } from 'node:fs';
import { afterAll, expect, test } from 'vitest';
import { createLearning } from '../../src/processing/engine/learning.ts';
import type { LearningBirth } from '../../src/processing/engine/learning-worker.ts';

const artefacts = new URL('../../data/moderation/artefacts/', import.meta.url);
const bytes = (name: string) => new Uint8Array(readFileSync(new URL(name, artefacts)));
const json = (name: string) => JSON.parse(readFileSync(new URL(name, artefacts), 'utf8'));
const birth: LearningBirth = {
  model: bytes('spam.model'),
  toxicity: bytes('toxicity.model'),
  lookalikes: json('lookalikes.json'),
  terms: json('terms.json'),
  replay: json('replay.json'),
};
const cold = createLearning(birth, { timeoutMs: 60_000 });
const warm = createLearning(birth, { timeoutMs: 60_000 });
afterAll(() => Promise.all([cold.stop(), warm.stop()]));

const examples = {
  spam: [{ text: 'peep our new pill parlour tonight, link in my profile', spam: true, moderatorId: 'ana' }],
  offence: [{ text: 'what a complete wazzock you are', offensive: true, moderatorId: 'ana' }],
};

test('a thread that was prepared learns the same as another', async () => {
  warm.warmUp();
  const [first, second] = await Promise.all([cold.learn(examples, 'one'), warm.learn(examples, 'one')]);
  expect(second).toEqual(first);
  // Twice does nothing.
  warm.warmUp();
  expect(await warm.learn(examples, 'two')).toMatchObject({ spam: { version: 'two' }, toxicity: { version: 'two' } });
});

test('a thread that is stopped while it prepares fails waiting calls', async () => {
  const stopped = createLearning(birth, { timeoutMs: 60_000 });
  stopped.warmUp();
  const asked = stopped.learn(examples, 'lost');
  const refused = expect(asked).rejects.toThrow('the engine stops');
  await stopped.stop();
  await refused;
});
