import { BaseSequencer, type TestSpecification } from 'vitest/node';

/**
 * Spreads each kind of tests over the whole run, the longest of each first. Vitest would run one kind after the other: browser tests
 * together need more than the processors have, and fault tests together mostly wait.
 */
export default class MixingSequencer extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const kinds = Object.values(Object.groupBy(await super.sort(files), ({ project }) => project.name));
    return kinds
      .flatMap((kind = []) => kind.map((file, index) => ({ file, at: (index + 0.5) / kind.length })))
      .sort((a, b) => a.at - b.at)
      .map(({ file }) => file);
  }
}
