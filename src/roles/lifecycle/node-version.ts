/**
 * Which Node Parley needs. An older one that strips types (22.18 to 24.6) gets as far as asking; one that does not fails at
 * the first file, so `npm start` and `npm test` ask before (scripts/run.mjs).
 */
import { readFileSync } from 'node:fs';

/** `24.7`, from `engines` of package.json. */
export const neededNode = readNeeded();

function readNeeded(): string {
  const { engines } = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')) as {
    engines: { node: string };
  };
  return engines.node.replace(/^>=/, '');
}

/** @param version as `process.version` has it */
export function supportsNode(version: string): boolean {
  const [have, need] = [version.replace(/^v/, ''), neededNode].map((text) => text.split('.').map(Number));
  const [major = 0, minor = 0] = have!;
  const [neededMajor = 0, neededMinor = 0] = need!;
  return major > neededMajor || (major === neededMajor && minor >= neededMinor);
}
