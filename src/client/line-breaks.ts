/** Block elements: a newline beside one of their tags is not a line break of the message. */
const blockTag = /^<\/?(?:p|ul|ol|li|blockquote|pre|table|thead|tbody|tr|th|td|h[1-6]|hr|br)\b/;
/** Messages hold `>` as `&gt;`, in attributes too. */
const tags = /(<[^>]*>)/;

/**
 * The HTML of a message with its line breaks as `<br>`. As in CommonMark, a line that ends within a paragraph, a list item or
 * another element is a plain newline in `html`, which browsers show as a space. With `<br>` each line is shown as it was written.
 *
 * @param html of a message as Parley sends it
 */
export function withLineBreaks(html: string): string {
  if (!html.trimEnd().includes('\n')) return html;
  // Texts at even indexes, the tags between them at odd ones.
  const parts = html.split(tags);
  let inCode = false;
  for (let at = 0; at < parts.length; at += 2) {
    const before = parts[at - 1];
    if (before !== undefined && /^<\/?pre\b/.test(before)) inCode = before[1] !== '/';
    if (!inCode) parts[at] = breakLines(parts[at]!, { before, after: parts[at + 1] });
  }
  return parts.join('');
}

function breakLines(
  text: string,
  { before, after }: { before: string | undefined; after: string | undefined },
): string {
  const first = before !== undefined && blockTag.test(before) && text.startsWith('\n') ? 1 : 0;
  const isEdge = after === undefined || (blockTag.test(after) && !after.startsWith('<br'));
  const last = isEdge && text.length > first && text.endsWith('\n') ? text.length - 1 : text.length;
  return text.slice(0, first) + text.slice(first, last).replaceAll('\n', '<br>\n') + text.slice(last);
}
