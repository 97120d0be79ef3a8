/** Reads `/metrics` as an operator's Prometheus does. */

/** @param labels all of them, in their order. @returns its value; 0 while nothing was counted */
export async function metricOf(
  url: string,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const inside = Object.entries(labels).map(([label, value]) => `${label}="${value}"`);
  const series = inside.length > 0 ? `${name}{${inside.join(',')}} ` : `${name} `;
  const line = text.split('\n').find((each) => each.startsWith(series));
  return line === undefined ? 0 : Number(line.slice(series.length));
}
