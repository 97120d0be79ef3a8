/** All suites of `npm run evaluate`, in the order in which they are printed. */
import { checkSpeedSuite } from './check-speed-suite.ts';
import { disguiseSuite } from './disguise-suite.ts';
import { everydaySuite } from './everyday-suite.ts';
import { floodSuite } from './flood-suite.ts';
import { hostileSuite } from './hostile-suite.ts';
import { inSourceSuite } from './in-source-suite.ts';
import { learningSuite } from './learning-suite.ts';
import { linksSuite } from './links-suite.ts';
import { markupSuite } from './markup-suite.ts';
import { renderSpeedSuite } from './render-speed-suite.ts';
import { scriptInjectionSuite } from './script-injection-suite.ts';
import type { Suite } from './suite.ts';
import { termsSuite } from './terms-suite.ts';
import { toxicitySuite } from './toxicity-suite.ts';
import { unseenSuite } from './unseen-suite.ts';

export const suites: readonly Suite[] = [
  inSourceSuite,
  unseenSuite,
  disguiseSuite,
  everydaySuite,
  learningSuite,
  floodSuite,
  termsSuite,
  toxicitySuite,
  linksSuite,
  checkSpeedSuite,
  hostileSuite,
  markupSuite,
  scriptInjectionSuite,
  renderSpeedSuite,
];
