/** Chooses a moment in the future: a few usual ones, or any other. */
import { useState } from 'preact/hooks';

interface Choice {
  readonly name: string;
  readonly at: () => Date;
}

function tomorrowAt(hour: number, days = 1): Date {
  const date = new Date();
  date.setDate(date.getDate() + days);
  date.setHours(hour, 0, 0, 0);
  return date;
}

const choices: readonly Choice[] = [
  { name: 'In 20 minutes', at: () => new Date(Date.now() + 20 * 60_000) },
  { name: 'In 1 hour', at: () => new Date(Date.now() + 60 * 60_000) },
  { name: 'In 3 hours', at: () => new Date(Date.now() + 180 * 60_000) },
  { name: 'Tomorrow at 9:00', at: () => tomorrowAt(9) },
  { name: 'In a week', at: () => tomorrowAt(9, 7) },
];

/** @param onChange gets an RFC 3339 time, or undefined while none is chosen */
export function MomentField({
  label,
  none,
  onChange,
}: {
  label: string;
  /** The words for no moment at all; undefined: one must be chosen. */
  none?: string;
  onChange: (at: string | undefined) => void;
}) {
  const [chosen, setChosen] = useState(none === undefined ? '' : 'none');
  function choose(value: string): void {
    setChosen(value);
    const choice = choices.find(({ name }) => name === value);
    onChange(choice?.at().toISOString());
  }
  return (
    <div class="field">
      <label for="moment">{label}</label>
      <select id="moment" value={chosen} required onChange={(event) => choose(event.currentTarget.value)}>
        {none === undefined ? <option value="">Choose a time</option> : <option value="none">{none}</option>}
        {choices.map(({ name }) => (
          <option key={name} value={name}>
            {name}
          </option>
        ))}
        <option value="other">Another time …</option>
      </select>
      {chosen === 'other' && (
        <input
          type="datetime-local"
          aria-label="Date and time"
          onInput={(event) => {
            const date = new Date(event.currentTarget.value);
            onChange(Number.isNaN(date.getTime()) ? undefined : date.toISOString());
          }}
        />
      )}
    </div>
  );
}
