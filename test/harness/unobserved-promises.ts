/**
 * Finds promises that may reject while nothing awaits them. Such a rejection ends the process, so each place where one is
 * started must observe it at once:
 *
 * - A promise in a variable is awaited by the next statement, or started by `startEarly`.
 * - No `await` stands beside a promise that was started before it in the same list of arguments.
 * - A promise that is left (`void f()`) has a handler, or every `await` of `f` stands in a `try` with a `catch`.
 * - No async function is a callback of something that ignores what it returns, such as a timer.
 *
 * The check is syntactic and goes by names: a call starts a promise if every declaration of its name returns one.
 */
import { ChildProcess } from 'node:child_process';
import { parseSync } from 'vite';

/** What is used of an ESTree node. */
interface Node {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [key: string]: unknown;
}

export interface SourceFile {
  readonly path: string;
  readonly text: string;
}

interface ParsedFile extends SourceFile {
  readonly program: Node;
}

/** Observe the rejection of what they start: src/concurrency/start-early.ts. */
const observers = new Set(['startEarly']);
/** Keep a promise for others; they neither throw nor await. */
const keepers = new Set(['set', 'add', 'push']);
/** Methods of the language's own values: not ours, whatever ours are called. */
const builtIn = new Set(
  [Array, String, Map, Set, RegExp, Date, ChildProcess].flatMap(({ prototype }) =>
    Object.getOwnPropertyNames(prototype),
  ),
);
/** Call a function and ignore the promise that it returns. */
const ignoringCallers = new Set([
  ...['setTimeout', 'setInterval', 'setImmediate', 'nextTick', 'queueMicrotask', 'forEach'],
  ...['on', 'once', 'addListener', 'addEventListener', 'prependListener'],
]);
const functionTypes = new Set(['FunctionDeclaration', 'FunctionExpression', 'ArrowFunctionExpression']);

/** @returns one line for each place, as `path:line what is wrong` */
export function findUnobservedPromises(files: readonly SourceFile[]): string[] {
  const parsed = files.map((file) => ({ ...file, program: parse(file) }));
  const names = collectNames(parsed);
  return parsed.flatMap((file) => new FileCheck(file, names).run());
}

function parse({ path, text }: SourceFile): Node {
  const { program, errors } = parseSync(path, text);
  if (errors.length > 0) throw new Error(`${path}: ${errors[0]!.message}`);
  return program as unknown as Node;
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && typeof (value as Node).type === 'string';
}

/** In source order. */
function childrenOf(node: Node): readonly Node[] {
  let children = knownChildren.get(node);
  if (!children) {
    children = Object.values(node)
      .flatMap((value) => (Array.isArray(value) ? value : [value]))
      .filter(isNode)
      .sort((left, right) => left.start - right.start);
    knownChildren.set(node, children);
  }
  return children;
}
const knownChildren = new WeakMap<Node, readonly Node[]>();

/** Visits a node and all below it, in source order; not below those for which `visit` returns false. */
function walk(node: Node, visit: (node: Node) => boolean | undefined): void {
  if (visit(node) === false) return;
  for (const each of childrenOf(node)) walk(each, visit);
}

/** The same, and not into functions: they run at another time. */
function walkHere(node: Node, visit: (node: Node) => boolean | undefined): void {
  walk(node, (each) => (each !== node && functionTypes.has(each.type) ? false : visit(each)));
}

function some(node: Node, fits: (node: Node) => boolean): boolean {
  let found = false;
  walkHere(node, (each) => {
    found ||= fits(each);
    return !found;
  });
  return found;
}

const child = (node: Node | undefined, key: string) => (node?.[key] ?? undefined) as Node | undefined;
const nodesOf = (node: Node, key: string) => ((node[key] ?? []) as (Node | null)[]).filter(isNode);
const nameOf = (node: Node | undefined) =>
  node?.type === 'Identifier' || node?.type === 'PrivateIdentifier' ? (node.name as string) : undefined;
const isFunction = (node: Node | undefined) => node !== undefined && functionTypes.has(node.type);

/** `name`, `this.#name` or `object.name`, as it is written. */
function referenceOf(node: Node | undefined): string | undefined {
  if (node?.type === 'ThisExpression') return 'this';
  if (node?.type !== 'MemberExpression') return nameOf(node);
  const [object, property] = [referenceOf(child(node, 'object')), child(node, 'property')];
  const mark = property?.type === 'PrivateIdentifier' ? '#' : '';
  return object === undefined || nameOf(property) === undefined ? undefined : `${object}.${mark}${nameOf(property)}`;
}

// ── Which names return promises ──

interface Names {
  /** Every declaration of them returns a promise. */
  readonly sure: ReadonlySet<string>;
  /** Every declaration of them returns something else. */
  readonly never: ReadonlySet<string>;
}

function collectNames(files: readonly ParsedFile[]): Names {
  const aliases = new Set<string>();
  for (const { program } of files)
    walk(program, (node) => {
      if (node.type === 'TSTypeAliasDeclaration' && returnsPromise(child(node, 'typeAnnotation')!, aliases))
        aliases.add(nameOf(child(node, 'id'))!);
      return undefined;
    });
  const returning = new Set<string>();
  const others = new Set<string>();
  for (const { program } of files)
    walk(program, (node) => {
      const [name, value] = declaredFunction(node);
      if (name !== undefined && value) (returnsPromise(value, aliases) ? returning : others).add(name);
      return undefined;
    });
  const without = (names: ReadonlySet<string>, those: ReadonlySet<string>) =>
    new Set([...names].filter((name) => !those.has(name)));
  return { sure: without(returning, others), never: without(others, returning) };
}

/** A name and the function, or the type of a function, that it is declared as. */
function declaredFunction(node: Node): [string | undefined, Node | undefined] {
  const annotation = (of: Node | undefined) => child(child(of, 'typeAnnotation'), 'typeAnnotation');
  const functionIn = (key: string) => (isFunction(child(node, key)) ? child(node, key) : undefined);
  switch (node.type) {
    case 'FunctionDeclaration':
      return [nameOf(child(node, 'id')), node];
    case 'VariableDeclarator':
      return [nameOf(child(node, 'id')), functionType(annotation(child(node, 'id'))) ?? functionIn('init')];
    case 'Property':
    case 'MethodDefinition':
    case 'PropertyDefinition':
      return [nameOf(child(node, 'key')), functionIn('value')];
    case 'TSPropertySignature':
      return [nameOf(child(node, 'key')), functionType(annotation(node))];
    case 'TSMethodSignature':
      return [nameOf(child(node, 'key')), node];
    default:
      return [undefined, undefined];
  }
}

const functionType = (node: Node | undefined) =>
  node?.type === 'TSFunctionType' || node?.type === 'TSTypeReference' ? node : undefined;

function returnsPromise(node: Node, aliases: ReadonlySet<string>): boolean {
  if (node.async === true) return true;
  if (node.type === 'TSTypeReference') return aliases.has(nameOf(child(node, 'typeName')) ?? '');
  const type = child(child(node, 'returnType'), 'typeAnnotation');
  return type?.type === 'TSTypeReference' && /^Promise(Like)?$/.test(nameOf(child(type, 'typeName')) ?? '');
}

// ── Calls ──

/** Of `a.b(…)`: `a`. */
function receiverOf(call: Node): Node | undefined {
  const callee = child(call, 'callee');
  return callee?.type === 'MemberExpression' ? child(callee, 'object') : undefined;
}

function calledName(call: Node): string | undefined {
  const callee = child(call, 'callee');
  return callee?.type === 'MemberExpression' ? nameOf(child(callee, 'property')) : nameOf(callee);
}

/** Whether a rejection of the call's promise has a handler already. */
function isHandled(call: Node): boolean {
  if (call.type !== 'CallExpression') return false;
  const [name, receiver] = [calledName(call) ?? '', receiverOf(call)];
  if (!receiver) return observers.has(name);
  const { length } = nodesOf(call, 'arguments');
  if (name === 'catch' || (name === 'then' && length === 2)) return true;
  return (name === 'finally' || name === 'then') && isHandled(receiver);
}

// ── What is wrong in a file ──

class FileCheck {
  readonly #file: ParsedFile;
  readonly #names: Names;
  /** Functions of this file by name; undefined: several have it. */
  readonly #functions = new Map<string, Node | undefined>();
  /** Names that mean something else here: imported from a package, or a parameter. */
  readonly #foreign = new Set<string>();
  readonly #found: string[] = [];

  constructor(file: ParsedFile, names: Names) {
    this.#file = file;
    this.#names = names;
  }

  run(): string[] {
    walk(this.#file.program, (node) => this.#learn(node));
    walk(this.#file.program, (node) => {
      if (Array.isArray(node.body)) this.#checkStatements(nodesOf(node, 'body'));
      if (node.type === 'SwitchCase') this.#checkStatements(nodesOf(node, 'consequent'));
      this.#checkSiblings(node);
      if (node.type === 'UnaryExpression' && node.operator === 'void') this.#checkVoid(child(node, 'argument')!);
      if (node.type === 'CallExpression') this.#checkCallbacks(node);
      return undefined;
    });
    return this.#found;
  }

  #learn(node: Node): undefined {
    const [name, value] = declaredFunction(node);
    if (name !== undefined && isFunction(value))
      this.#functions.set(name, this.#functions.has(name) ? undefined : value);
    if (isFunction(node)) for (const each of nodesOf(node, 'params')) this.#foreign.add(nameOf(each) ?? '');
    if (node.type === 'ImportDeclaration' && !String(child(node, 'source')!.value).startsWith('.'))
      for (const each of nodesOf(node, 'specifiers')) this.#foreign.add(nameOf(child(each, 'local'))!);
  }

  #report(node: Node, what: string): void {
    const line = this.#file.text.slice(0, node.start).split('\n').length;
    this.#found.push(`${this.#file.path}:${line} ${what}`);
  }

  /** Whether the value of an expression is a promise that it starts, and that may reject without a handler. */
  #starts(node: Node | undefined): boolean {
    return alternatives(node).some((each) => each.type === 'CallExpression' && this.#callStarts(each));
  }

  #callStarts(call: Node): boolean {
    if (isHandled(call) || this.#neverRejects(call)) return false;
    const [name = '', receiver] = [calledName(call), receiverOf(call)];
    if (nameOf(receiver) === 'Promise') return ['all', 'race', 'any', 'reject', 'try'].includes(name);
    if (receiver && (name === 'then' || name === 'finally')) return true;
    const [first] = nodesOf(call, 'arguments');
    if (receiver && name === 'map') return isFunction(first) && first!.async === true;
    if (receiver) return this.#names.sure.has(name) && !builtIn.has(name);
    return this.#names.sure.has(name) && (this.#functions.has(name) || !this.#foreign.has(name));
  }

  /** Whether a call is of a function of this file of which every `await` stands in a `try` with a `catch`. */
  #neverRejects(call: Node, asked: ReadonlySet<Node> = new Set()): boolean {
    const [name = '', receiver] = [calledName(call), receiverOf(call)];
    const callee = this.#functions.get(name);
    if (!callee || (receiver && receiver.type !== 'ThisExpression')) return false;
    if (asked.has(callee)) return true;
    const known = new Set([...asked, callee]);
    const isSafe = (awaited: Node) =>
      awaited.type === 'CallExpression' && (isHandled(awaited) || this.#neverRejects(awaited, known));
    const mayReject = (node: Node): boolean => {
      if (isFunction(node)) return false;
      if (node.type === 'ThrowStatement' || (node.type === 'ForOfStatement' && node.await === true)) return true;
      const argument = child(node, 'argument');
      if (node.type === 'AwaitExpression' && !isPlainPromise(argument!)) return !isSafe(argument!);
      // An async function fails with the promise that it returns.
      if (node.type === 'ReturnStatement' && argument?.type === 'CallExpression')
        return !isSafe(argument) && !this.#isPlain(argument);
      // What stands in the block is caught by the handler.
      const caught = node.type === 'TryStatement' && child(node, 'handler') ? child(node, 'block') : undefined;
      return childrenOf(node).some((each) => each !== caught && mayReject(each));
    };
    const body = child(callee, 'body')!;
    return callee.async === true ? !mayReject(body) : false;
  }

  /** Whether a call surely returns no promise. */
  #isPlain(call: Node): boolean {
    const name = calledName(call) ?? '';
    const own = receiverOf(call) ? undefined : this.#functions.get(name);
    return this.#names.never.has(name) || (own !== undefined && !returnsPromise(own, new Set()));
  }

  /** A promise that is kept in a variable is observed by the next statement that keeps none itself. */
  #checkStatements(statements: readonly Node[]): void {
    for (const [index, statement] of statements.entries()) {
      const later = statements.slice(index + 1);
      for (const name of this.#kept(statement, later)) {
        const end = later.findIndex((each) => !isKeeping(each, name) && this.#kept(each, []).length === 0);
        const near = later.slice(0, end === -1 ? later.length : end + 1);
        if (!near.some((each) => observesFirst(each, name)))
          this.#report(statement, `${name} is started and not awaited next`);
      }
    }
  }

  /** Variables that a statement sets to a promise: it is known to be one, or a later statement awaits it. */
  #kept(statement: Node, later: readonly Node[]): string[] {
    return assignments(statement).flatMap(([target, value]) => {
      const name = referenceOf(target);
      const calls = alternatives(value).filter(
        (each) => each.type === 'CallExpression' && !isHandled(each) && !this.#neverRejects(each),
      );
      if (name === undefined || calls.length === 0) return [];
      const awaited = later.some((each) =>
        some(each, (node) => node.type !== 'ReturnStatement' && observes(node, name)),
      );
      const used = later.some((each) => some(each, (node) => referenceOf(node) === name));
      const isStarted = calls.some((each) => {
        // A method's name may be that of others too: what becomes of its value tells whether it is a promise.
        if (!this.#starts(each)) return awaited && !isLookUp(each);
        return awaited || !used || !receiverOf(each);
      });
      return isStarted ? [name] : [];
    });
  }

  /** `f(start(), await other())`: the second is awaited while nothing awaits the first. */
  #checkSiblings(node: Node): void {
    const lists: Readonly<Record<string, string>> = {
      ArrayExpression: 'elements',
      CallExpression: 'arguments',
      NewExpression: 'arguments',
      ObjectExpression: 'properties',
    };
    const key = lists[node.type];
    if (key === undefined) return;
    const siblings = nodesOf(node, key).map((each) => (each.type === 'Property' ? child(each, 'value')! : each));
    const first = siblings.findIndex((each) => this.#starts(each));
    if (first === -1) return;
    for (const each of siblings.slice(first + 1))
      if (some(each, ({ type }) => type === 'AwaitExpression'))
        this.#report(each, 'another promise is started before this await');
  }

  #checkVoid(left: Node): void {
    const argument = withoutAssignment(left);
    if (argument.type !== 'CallExpression' || isHandled(argument) || this.#neverRejects(argument)) return;
    if (this.#isPlain(argument)) return;
    // Fastify's reply has a `then`, and its methods return it; what it is sent is its own affair.
    if (/^reply\b/.test(this.#file.text.slice(argument.start, argument.end))) return;
    if (receiverOf(argument) && builtIn.has(calledName(argument) ?? '')) return;
    this.#report(argument, 'a promise is started and left');
  }

  /** `setInterval(async () => …)`: the caller ignores the promise. */
  #checkCallbacks(call: Node): void {
    if (!ignoringCallers.has(calledName(call) ?? '')) return;
    for (const each of nodesOf(call, 'arguments')) {
      const body = isFunction(each) ? child(each, 'body') : undefined;
      const isIgnored = isFunction(each)
        ? each.async === true || this.#starts(body)
        : nameOf(each) !== undefined && this.#starts({ type: 'CallExpression', callee: each, start: 0, end: 0 });
      if (isIgnored) this.#report(each, 'nothing awaits what this callback returns');
    }
  }
}

/** The expressions of which one is the value. */
function alternatives(node: Node | undefined): Node[] {
  switch (node?.type) {
    case undefined:
      return [];
    case 'ParenthesizedExpression':
    case 'TSAsExpression':
    case 'TSNonNullExpression':
    case 'ChainExpression':
      return alternatives(child(node, 'expression'));
    case 'ConditionalExpression':
      return [...alternatives(child(node, 'consequent')), ...alternatives(child(node, 'alternate'))];
    case 'LogicalExpression':
      return [...alternatives(child(node, 'left')), ...alternatives(child(node, 'right'))];
    default:
      return [node!];
  }
}

/** `await new Promise(resolve => …)`, with nothing that rejects it. */
function isPlainPromise(node: Node): boolean {
  const [executor] = node.type === 'NewExpression' ? nodesOf(node, 'arguments') : [];
  return isFunction(executor) && nodesOf(executor!, 'params').length === 1;
}

/** `(pending ??= start())`: the call. */
function withoutAssignment(node: Node): Node {
  if (node.type === 'ParenthesizedExpression') return withoutAssignment(child(node, 'expression')!);
  return node.type === 'AssignmentExpression' ? withoutAssignment(child(node, 'right')!) : node;
}

/** What a statement assigns, and to what. */
function assignments(statement: Node): [Node | undefined, Node | undefined][] {
  if (statement.type === 'VariableDeclaration')
    return nodesOf(statement, 'declarations').map((each) => [child(each, 'id'), child(each, 'init')]);
  const expression = statement.type === 'ExpressionStatement' ? child(statement, 'expression') : undefined;
  return expression?.type === 'AssignmentExpression' ? [[child(expression, 'left'), child(expression, 'right')]] : [];
}

/** A value that was kept earlier: nothing is started. */
function isLookUp(call: Node): boolean {
  return ['get', 'at', 'shift', 'pop', 'find', 'withResolvers'].includes(calledName(call) ?? '');
}

/** `pending.set(key, promise)`, or an assignment that cannot throw. */
function isKeeping(statement: Node, name: string): boolean {
  const call = statement.type === 'ExpressionStatement' ? child(statement, 'expression')! : statement;
  if (call.type === 'AssignmentExpression') return ['Literal', 'Identifier'].includes(child(call, 'right')!.type);
  return (
    call.type === 'CallExpression' &&
    keepers.has(calledName(call) ?? '') &&
    some(call, (node) => referenceOf(node) === name)
  );
}

/** Whether a statement observes the promise before it awaits anything else or ends early. */
function observesFirst(statement: Node, name: string): boolean {
  let answer: boolean | undefined;
  walkHere(statement, (node) => {
    if (answer !== undefined) return false;
    if (observes(node, name)) answer = true;
    else if (node.type === 'ThrowStatement') answer = false;
    else if (node.type === 'AwaitExpression') answer = some(node, (each) => observes(each, name));
    return undefined;
  });
  return answer === true;
}

/** `await p`, `return p`, `for await (… of p)`, `p.catch(…)`, `Promise.all([p])`, or handed to an observer. */
function observes(node: Node, name: string): boolean {
  if (node.type === 'AwaitExpression' || node.type === 'ReturnStatement')
    return referenceOf(child(node, 'argument')) === name;
  if (node.type === 'ForOfStatement') return node.await === true && referenceOf(child(node, 'right')) === name;
  if (node.type !== 'CallExpression') return false;
  const [called, receiver] = [calledName(node) ?? '', receiverOf(node)];
  if (referenceOf(receiver) === name) return ['then', 'catch', 'finally'].includes(called);
  if (nameOf(receiver) !== 'Promise' && !observers.has(called)) return false;
  const handed = nodesOf(node, 'arguments').flatMap((each) => nodesOf(each, 'elements').concat(each));
  return handed.some((each) => referenceOf(child(each, 'argument') ?? each) === name);
}
