const escapes: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

/** The HTML of a text that no engine has rendered: the source as it was written, line breaks kept. */
export function plainHtml(text: string): string {
  return `<p>${text.replace(/[&<>"]/g, (sign) => escapes[sign]!).replace(/\r\n?|\n/g, '<br>\n')}</p>\n`;
}
