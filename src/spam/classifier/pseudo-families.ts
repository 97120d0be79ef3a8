/** Families of tokens that are no words. Their numbers come after those of the lexicon. */

export const linkFamily: readonly number[] = [60];
export const numberFamily: readonly number[] = [61];
export const moneyFamily: readonly number[] = [62];
export const handleFamily: readonly number[] = [63];
