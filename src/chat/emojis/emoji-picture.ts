/** Whether a file may be the picture of a custom emoji, by its content alone. The picture is stored as it came. */
import { fileTypeFromBuffer } from 'file-type';
import { Failure, invalid } from '../../errors.ts';

export interface PictureSettings {
  /** Bytes. */
  readonly imageBytes: number;
  /** Pixels of the longer side. A small file may hold a picture that no browser can show. */
  readonly sideMax: number;
}

/** An animated PNG is a PNG to browsers. */
const allowed: Readonly<Record<string, string>> = {
  'image/png': 'image/png',
  'image/apng': 'image/png',
  'image/gif': 'image/gif',
  'image/webp': 'image/webp',
  'image/jpeg': 'image/jpeg',
};

/** @returns its media type. @throws Failure `invalid`, `too_large` */
export async function requirePicture(file: Buffer, { imageBytes, sideMax }: PictureSettings): Promise<string> {
  if (file.length > imageBytes) throw new Failure('too_large', `at most ${imageBytes} bytes`);
  const found = await fileTypeFromBuffer(file);
  const type = allowed[found?.mime ?? ''];
  if (type === undefined) throw invalid('/file', 'not a PNG, GIF, WebP or JPEG picture');
  const { width, height } = await readSize(file);
  if (Math.max(width, height) > sideMax) throw invalid('/file', `at most ${sideMax} pixels wide and high`);
  return type;
}

/** Reads the head of the picture; its pixels are not decoded. */
async function readSize(file: Buffer): Promise<{ width: number; height: number }> {
  // Loaded with the first picture: few instances ever get one.
  const { default: sharp } = await import('sharp');
  try {
    const { width, height } = await sharp(file, { limitInputPixels: false }).metadata();
    return { width, height };
  } catch (cause) {
    throw new Failure('invalid', 'file: the picture is damaged', {
      cause,
      errors: [{ path: '/file', message: 'the picture is damaged' }],
    });
  }
}
