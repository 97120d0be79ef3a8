/** Reads the named fields of the form that was submitted; a field that is absent is empty. */
export function fieldsOf(event: SubmitEvent): (name: string) => string {
  const fields = new FormData(event.currentTarget as HTMLFormElement);
  return (name) => String(fields.get(name) ?? '');
}
