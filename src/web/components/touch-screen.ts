/** Whether fingers are the main way to point: the keyboard is then on the screen, and takes half of it when it comes up. */
export const onTouchScreen = matchMedia('(hover: none) and (pointer: coarse)').matches;
