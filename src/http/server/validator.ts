/** Validates input by its schema. The only conversion is from digits to a whole number. */
import type { FastifySchemaCompiler } from 'fastify';
import type { TSchema } from 'typebox';
import { Compile } from 'typebox/compile';

interface PropertySchema {
  readonly type?: string;
  readonly anyOf?: readonly PropertySchema[];
}

const digits = /^(0|-?[1-9]\d{0,15})$/;

/** Converts digits in paths and queries, which are always texts, where the schema wants a number. */
function readNumbers(value: unknown, properties: Readonly<Record<string, PropertySchema>>): unknown {
  if (typeof value !== 'object' || value === null) return value;
  const read = Object.entries(value).map(([name, each]) => {
    const wanted = Object.hasOwn(properties, name) ? properties[name]!.type : undefined;
    if (typeof each !== 'string') return [name, each];
    if ((wanted === 'integer' || wanted === 'number') && digits.test(each)) return [name, Number(each)];
    if (wanted === 'boolean' && (each === 'true' || each === 'false')) return [name, each === 'true'];
    return [name, each];
  });
  return Object.fromEntries(read);
}

export const validatorCompiler: FastifySchemaCompiler<TSchema> = ({ schema, httpPart }) => {
  const compiled = Compile(schema);
  const { properties = {} } = schema as { properties?: Record<string, PropertySchema> };
  return (input: unknown) => {
    const value = httpPart === 'body' ? input : readNumbers(input, properties);
    return compiled.Check(value) ? { value } : { error: [...compiled.Errors(value)] as never };
  };
};
