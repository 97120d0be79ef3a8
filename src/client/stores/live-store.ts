/** Values that change, for views: the same reference until something changed, and one call per tick to those who listen. */
import type { ParleyError } from '../parley-error.ts';

export interface Store<Value> {
  /** The value now: the same reference until something changed. */
  readonly get: () => Value;
  /**
   * Calls back after changes, once for all changes of one tick. What a store needs is loaded when somebody begins to listen.
   * @returns stops listening
   */
  readonly subscribe: (listener: (value: Value) => void) => () => void;
}

export type LoadStatus = 'idle' | 'loading' | 'ready' | 'failed';

/** A list that is read from the server, and follows its events then. */
export interface Loaded<Item> {
  /** `idle`: nobody has asked for it. `failed`: `error` says why; `items` is what was known before. */
  readonly status: LoadStatus;
  readonly items: readonly Item[];
  readonly error?: ParleyError;
}

export interface LoadedStore<Value> extends Store<Value> {
  /** Loads it without listening, or again after it failed. @returns the value then. Never rejects: see `status` */
  readonly load: () => Promise<Value>;
}

/** A store that its owner sets. */
export interface Source<Value> extends Store<Value> {
  readonly set: (value: Value) => void;
  readonly isUsed: () => boolean;
}

interface Use {
  /** Somebody begins to listen, and nobody did before. */
  readonly onUse?: () => void;
  /** Nobody listens any more. */
  readonly onIdle?: () => void;
}

export function createSource<Value>(initial: Value, { onUse, onIdle }: Use = {}): Source<Value> {
  let value = initial;
  let isScheduled = false;
  // An object for each subscription: the same function may subscribe twice.
  const listeners = new Set<{ readonly call: (value: Value) => void }>();

  function tell(): void {
    isScheduled = false;
    for (const listener of [...listeners]) if (listeners.has(listener)) listener.call(value);
  }

  return {
    get: () => value,
    set: (next) => {
      if (Object.is(next, value)) return;
      value = next;
      if (isScheduled || listeners.size === 0) return;
      isScheduled = true;
      queueMicrotask(tell);
    },
    subscribe: (call) => {
      const listener = { call };
      listeners.add(listener);
      if (listeners.size === 1) onUse?.();
      return () => {
        if (listeners.delete(listener) && listeners.size === 0) onIdle?.();
      };
    },
    isUsed: () => listeners.size > 0,
  };
}

/** A value made of other stores. `make` runs when one of them has changed and somebody asks; an equal result keeps its reference. */
export function createDerived<const Inputs extends readonly Store<unknown>[], Value>(
  inputs: Inputs,
  make: (
    ...values: { readonly [Index in keyof Inputs]: Inputs[Index] extends Store<infer Each> ? Each : never }
  ) => Value,
  { isSame = isShallowSame, ...use }: Use & { readonly isSame?: (left: Value, right: Value) => boolean } = {},
): Store<Value> {
  let made: { readonly from: readonly unknown[]; readonly value: Value } | undefined;
  let stops: readonly (() => void)[] = [];

  function get(): Value {
    const from = inputs.map((input) => input.get());
    if (made?.from.every((each, index) => Object.is(each, from[index]))) return made.value;
    const value = make(...(from as never));
    made = { from, value: made && isSame(made.value, value) ? made.value : value };
    return made.value;
  }

  let last: Value | undefined;
  /** Counts changes. */
  const told = createSource(0, {
    onUse: () => {
      last = get();
      stops = inputs.map((input) => input.subscribe(check));
      use.onUse?.();
    },
    onIdle: () => {
      for (const stop of stops) stop();
      stops = [];
      use.onIdle?.();
    },
  });
  function check(): void {
    const value = get();
    if (Object.is(value, last)) return;
    last = value;
    told.set(told.get() + 1);
  }

  return { get, subscribe: (listener) => told.subscribe(() => listener(get())) };
}

/** Whether two lists, or two plain objects, hold the same values. */
export function isShallowSame(left: unknown, right: unknown): boolean {
  if (Object.is(left, right)) return true;
  if (typeof left !== 'object' || typeof right !== 'object' || !left || !right) return false;
  if (left instanceof Map || right instanceof Map) return isSameMap(left, right);
  const [leftKeys, rightKeys] = [Object.keys(left), Object.keys(right)];
  return (
    leftKeys.length === rightKeys.length &&
    leftKeys.every((key) => Object.is((left as Record<string, unknown>)[key], (right as Record<string, unknown>)[key]))
  );
}

function isSameMap(left: object, right: object): boolean {
  if (!(left instanceof Map && right instanceof Map) || left.size !== right.size) return false;
  return [...left].every(([key, value]) => Object.is(right.get(key), value));
}

/** Whether two loaded lists tell the same: their items and everything beside them. */
export function isSameLoaded<Each extends { readonly items: readonly unknown[] }>(left: Each, right: Each): boolean {
  const { items: leftItems, ...leftRest } = left;
  const { items: rightItems, ...rightRest } = right;
  return isShallowSame(leftRest, rightRest) && isShallowSame(leftItems, rightItems);
}
