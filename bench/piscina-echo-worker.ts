/** The worker for piscina: one text or many. */
export default function work(task: string | readonly string[]): number | number[] {
  return typeof task === 'string' ? task.length : task.map((text) => text.length);
}
