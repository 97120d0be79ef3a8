const escapes: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
const escaped = /[&<>"]/;
const escapedAll = /[&<>"]/g;

/** For text between tags and for values within double quotes. */
export function escapeHtml(text: string): string {
  return escaped.test(text) ? text.replace(escapedAll, (each) => escapes[each]!) : text;
}
