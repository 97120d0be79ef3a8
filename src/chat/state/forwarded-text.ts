/**
 * The text of a forwarded message. Without a comment it is the text that was copied. With one it is the comment, and the copied
 * text quoted below it, so that both are seen, found and mailed wherever a message's text is. The length of the comment is
 * kept, so that the two can be told apart again: when the message is forwarded once more, only what was copied goes on.
 */

/** A Markdown source and its safe HTML. */
export interface RenderedText {
  readonly text: string;
  readonly html: string;
}

/** UTF-16 units of the comment at the beginning of `text` and `html`. */
export interface CommentLength {
  readonly text: number;
  readonly html: number;
}

const separator = '\n\n';
const quoteMark = '> ';
const lineBreak = `\n${quoteMark}`;
const quoteStart = '<blockquote>';
const quoteEnd = '</blockquote>';

/** @param comment its text is empty where there is none */
export function joinForwarded(comment: RenderedText, copied: RenderedText): RenderedText {
  if (comment.text === '') return copied;
  if (copied.text === '') return comment;
  return {
    text: comment.text + separator + quoteMark + copied.text.replaceAll('\n', lineBreak),
    html: comment.html + quoteStart + copied.html + quoteEnd,
  };
}

/** The two parts of what `joinForwarded` made. @param length undefined where there is no comment */
export function splitForwarded(
  { text, html }: RenderedText,
  length: CommentLength | undefined,
): { readonly comment: RenderedText | undefined; readonly copied: RenderedText } {
  if (length === undefined) return { comment: undefined, copied: { text, html } };
  const comment = { text: text.slice(0, length.text), html: html.slice(0, length.html) };
  if (text.length === length.text) return { comment, copied: { text: '', html: '' } };
  const copied = {
    text: text
      .slice(length.text + separator.length)
      .slice(quoteMark.length)
      .replaceAll(lineBreak, '\n'),
    html: html.slice(length.html + quoteStart.length, -quoteEnd.length),
  };
  return { comment, copied };
}
