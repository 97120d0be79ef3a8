/** How long a text may be: said while it is written, so that nothing is cut and no refusal comes as a surprise. */

const number = new Intl.NumberFormat();
/** Of notes and reasons that moderators give, as the server takes them. */
export const noteLengthMax = 1000;
/** From this share of the limit on the length is shown. */
const nearShare = 0.9;

/** @returns code points after NFC, as the server counts */
export function lengthOf(text: string): number {
  return [...text.normalize('NFC')].length;
}

export function isTooLong(text: string, lengthMax: number): boolean {
  // A code point is one or two code units, and NFC makes a text longer in rare cases only: the cheap bound first.
  return text.length > lengthMax / 4 && lengthOf(text) > lengthMax;
}

/** Shows nothing until the text is nearly as long as it may be. */
export function LengthHint({ text, lengthMax }: { text: string; lengthMax: number }) {
  const length = text.length > (lengthMax * nearShare) / 4 ? lengthOf(text) : 0;
  const over = length - lengthMax;
  return (
    <p class={`length ${over > 0 ? 'over' : ''}`} role="status">
      {length > lengthMax * nearShare && `${number.format(length)} of ${number.format(lengthMax)} characters`}
      {over > 0 && `: ${number.format(over)} too many. Please shorten the text.`}
    </p>
  );
}
