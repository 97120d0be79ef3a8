/** The length limit of a text, shown while the user writes: nothing is cut, and no refusal is a surprise. */

const number = new Intl.NumberFormat();
/** The server's bound for notes and reasons of moderators, in code points. */
export const noteLengthMax = 1000;
/** The length is shown from this share of the limit on. */
const nearShare = 0.9;

/** @returns code points after NFC, as the server counts */
export function lengthOf(text: string): number {
  return [...text.normalize('NFC')].length;
}

export function isTooLong(text: string, lengthMax: number): boolean {
  // A code point is one or two code units, and NFC rarely makes a text longer: the cheap bound is checked first.
  return text.length > lengthMax / 4 && lengthOf(text) > lengthMax;
}

/** Shows nothing until the text is nearly too long. */
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
