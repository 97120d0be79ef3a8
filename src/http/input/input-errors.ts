/** Errors of schema checks as failures of the API, the same for bodies, URLs and frames. */
import { Failure, type InputError, type InputPath } from '../../errors.ts';

export interface ValidationError {
  readonly instancePath?: string;
  readonly message?: string;
  readonly keyword?: string;
  readonly params?: Readonly<Record<string, unknown>>;
}

/** Most errors in one response. */
const complaintsMax = 20;

/** @param context the name of the input, for errors about the whole of it */
export function invalidInput(found: readonly ValidationError[], context = 'body'): Failure {
  const errors = toInputErrors(found, context);
  return new Failure('invalid', errors.map(({ path, message }) => `${path.slice(1)}: ${message}`).join('; '), {
    errors,
  });
}

/** One error per place. A value that fits none of several schemas has an error for each of them. */
function toInputErrors(found: readonly ValidationError[], context: string): InputError[] {
  const byPath = new Map<InputPath, InputError>();
  for (const { instancePath = '', keyword = '', message = 'is not valid', params } of found) {
    const unknown = keyword === 'additionalProperties' ? namesIn(params?.additionalProperties) : [];
    const missing = keyword === 'required' ? namesIn(params?.requiredProperties) : [];
    const within = (name: string) => `${instancePath}/${name}` as InputPath;
    for (const name of unknown) byPath.set(within(name), { path: within(name), message: 'is not a known field' });
    for (const name of missing) byPath.set(within(name), { path: within(name), message: 'is missing' });
    // An error at an unknown field is also reported for its object.
    if (keyword === 'boolean') continue;
    if (unknown.length > 0 || missing.length > 0) continue;
    const path = (instancePath || `/${context}`) as InputPath;
    if (keyword === 'format' && params?.format === 'uuid') byPath.set(path, { path, message: 'must be a UUID' });
    else if (keyword === 'pattern' && !byPath.has(path))
      byPath.set(path, { path, message: 'has not the form allowed' });
    else if (keyword === 'anyOf') byPath.set(path, { path, message: 'must be one of what is allowed' });
    else if (!byPath.has(path)) byPath.set(path, { path, message });
  }
  return [...byPath.values()].slice(0, complaintsMax);
}

function namesIn(value: unknown): string[] {
  return [value].flat().filter((each) => typeof each === 'string');
}
