/** Pictures for the screenshots, drawn here: nothing is downloaded. */
import sharp from 'sharp';

const toPng = (svg: string) => sharp(Buffer.from(svg)).png().toBuffer();

/** A landscape: a sky, hills and a sun. */
export function drawHills({
  width,
  height,
  sky,
  hills,
}: Record<'width' | 'height', number> & Record<'sky' | 'hills', string>) {
  return toPng(`<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 400 300" preserveAspectRatio="none">
    <defs><linearGradient id="sky" x2="0" y2="1"><stop stop-color="${sky}"/><stop offset="1" stop-color="#fff4dc"/></linearGradient></defs>
    <rect width="400" height="300" fill="url(#sky)"/><circle cx="300" cy="90" r="34" fill="#ffd866"/>
    <path d="M0 200 Q100 120 210 190 T400 160 V300 H0z" fill="${hills}" opacity=".6"/>
    <path d="M0 240 Q120 170 240 235 T400 215 V300 H0z" fill="${hills}"/>
    <path d="M40 300l30-60 30 60zM120 300l22-44 22 44z" fill="#2b5d34" opacity=".8"/></svg>`);
}

/** A custom emoji: a sprout. */
export const drawSprout = () =>
  toPng(`<svg xmlns="http://www.w3.org/2000/svg" width="96" height="96" viewBox="0 0 24 24">
    <path d="M12 22V11" stroke="#5c940d" stroke-width="2.4" stroke-linecap="round"/>
    <path d="M12 13C5 13 3 9 3 5c6 0 9 3 9 8z" fill="#82c91e"/><path d="M12 11c0-5 3-8 9-8 0 5-3 8-9 8z" fill="#a9e34b"/></svg>`);
