import { expect, test } from 'vitest';
import { createRetryBudget } from './retry-budget.ts';

test('a burst of failures is retried up to the reserve, later ones only up to a share of the calls', () => {
  const budget = createRetryBudget({ share: 0.1, reserve: 20 });
  expect(budget.take(20)).toBe(true);
  expect(budget.take(1)).toBe(false);
  budget.called(9);
  expect(budget.take(1)).toBe(false);
  budget.called(1);
  expect(budget.take(1)).toBe(true);
});

test('more than is left is not taken in part', () => {
  const budget = createRetryBudget({ share: 0, reserve: 5 });
  expect(budget.take(6)).toBe(false);
  expect(budget.take(5)).toBe(true);
});

test('no more is saved up than the reserve', () => {
  const budget = createRetryBudget({ share: 1, reserve: 5 });
  budget.called(1000);
  expect(budget.take(6)).toBe(false);
});
