/**
 * What a suite of `npm run evaluate` is made of. A suite is one small file that returns rows; the runner prints them and
 * holds each against its floor. A new suite is listed in `suites.ts`.
 */

/** How a figure is printed. Shares are 0 to 1 and printed in percent. */
export type Unit = 'share' | 'count' | 'perSecond' | 'milliseconds';

export interface Figure {
  readonly value: number;
  readonly unit: Unit;
  /** The run fails below it (`least`) or above it (`most`). Set a little under what was measured, so that noise passes. */
  readonly least?: number;
  readonly most?: number;
  /** What is aimed for, shown where the figure falls short of it. */
  readonly goal?: number;
}

export interface Row {
  /** Data set, tier, category: what was measured. */
  readonly name: string;
  /** By their headings. */
  readonly figures: Readonly<Record<string, Figure>>;
}

export interface Suite {
  readonly name: string;
  /** One line for people. */
  readonly title: string;
  /** Fast enough for every change: part of `npm run check`, which runs the quick suites in a few seconds each. */
  readonly quick: boolean;
  readonly run: (options: { readonly quick: boolean }) => Row[] | Promise<Row[]>;
}

export type Bounds = Omit<Figure, 'value' | 'unit'>;

export const share = (value: number, bounds: Bounds = {}): Figure => ({ value, unit: 'share', ...bounds });
export const count = (value: number, bounds: Bounds = {}): Figure => ({ value, unit: 'count', ...bounds });
export const perSecond = (value: number, bounds: Bounds = {}): Figure => ({ value, unit: 'perSecond', ...bounds });
export const milliseconds = (value: number, bounds: Bounds = {}): Figure => ({
  value,
  unit: 'milliseconds',
  ...bounds,
});
