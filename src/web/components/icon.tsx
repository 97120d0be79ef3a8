/** Pictures on buttons: lines in the colour of the text. Decoration: the button has a label. */
const shapes = {
  react: 'M12 3a9 9 0 1 0 9 9 M8.5 10v.01 M15 10v.01 M8.5 14.5a4.5 4.5 0 0 0 7 0 M19 2v6 M16 5h6',
  smile: 'M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18 M9 10v.01 M15 10v.01 M8.5 14.5a4.5 4.5 0 0 0 7 0',
  thread: 'M4 5h16v11H10l-5 4v-4H4z M8 9h8 M8 12h5',
  more: 'M5 12v.01 M12 12v.01 M19 12v.01',
  plus: 'M12 5v14 M5 12h14',
  pin: 'M9 4h6l-1 6 3 3H7l3-3z M12 13v7',
  bookmark: 'M7 4h10v16l-5-4-5 4z',
  file: 'M7 3h7l4 4v14H7z M14 3v4h4',
  download: 'M12 4v11 M7 11l5 5 5-5 M5 20h14',
  clock: 'M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18 M12 7v5l3 2',
  shield: 'M12 3l8 3v6c0 4.5-3.3 7.6-8 9-4.7-1.4-8-4.5-8-9V6z M9 12l2 2 4-4',
  people:
    'M9 5a3.5 3.5 0 1 0 0 7 3.5 3.5 0 0 0 0-7 M3 20c0-3.5 2.7-5.5 6-5.5s6 2 6 5.5 M16 5.5a3.3 3.3 0 0 1 0 6.2 M17.5 14.8c2.1.7 3.5 2.4 3.5 5.2',
  edit: 'M4 20l1-4L16 5l3 3L8 19z',
} as const;

export type IconName = keyof typeof shapes;

export function Icon({ name }: { name: IconName }) {
  return (
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <path d={shapes[name]} />
    </svg>
  );
}
