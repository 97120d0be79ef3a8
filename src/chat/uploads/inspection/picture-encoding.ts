/**
 * Decodes a picture and encodes it again. What is stored is made from its pixels alone: nothing of the original file is
 * left, neither its metadata (where and with which device it was taken) nor anything that was hidden in it.
 */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { encode as encodeBlurhash } from 'blurhash';
import sharp, { type Sharp } from 'sharp';

// Each thread works on one picture, and no picture comes twice.
sharp.concurrency(1);
sharp.cache(false);

export interface EncodedPicture {
  readonly path: string;
  readonly size: number;
  /** As shown: after turning. */
  readonly width: number;
  readonly height: number;
  readonly blurhash: string;
  readonly thumbnail: { readonly path: string; readonly size: number; readonly type: string };
}

export interface PictureLimits {
  /** Over all frames of an animation. */
  readonly pixelsMax: number;
  readonly timeoutMs: number;
}

export class TooManyPixels extends Error {}

const thumbnailSide = 512;
/** As many as a blurhash of 4 × 3 components can tell apart. */
const blurhashSide = 32;

/** Encoders by type. Quality 90 of JPEG and WebP is hardly told from the original; AVIF is slow beyond effort 2. */
const encoders: Readonly<Record<string, (picture: Sharp) => Sharp>> = {
  'image/png': (picture) => picture.png({ compressionLevel: 6 }),
  'image/jpeg': (picture) => picture.jpeg({ quality: 90 }),
  'image/gif': (picture) => picture.gif({ effort: 3 }),
  'image/webp': (picture) => picture.webp({ quality: 90, effort: 2 }),
  'image/avif': (picture) => picture.avif({ quality: 60, effort: 1 }),
};

/**
 * @param type one of `pictureType`
 * @param folder for what is made
 * @throws TooManyPixels, or Error for a picture that cannot be decoded
 */
export async function encodePicture(
  path: string,
  type: string,
  folder: string,
  limits: PictureLimits,
): Promise<EncodedPicture> {
  const isAnimated = await checkHeader(path, type, limits);
  const open = (animated: boolean) =>
    sharp(path, { limitInputPixels: limits.pixelsMax, failOn: 'error', animated, sequentialRead: true }).timeout({
      seconds: Math.max(1, Math.ceil(limits.timeoutMs / 1000)),
    });
  // The frames of an animation lie below one another, so they are not turned. Without metadata, pictures are sRGB.
  const upright = isAnimated ? open(true) : open(false).autoOrient();
  const full = await encoders[type]!(upright).toFile(join(folder, 'picture'));
  const thumbnail = await makeThumbnail(open(false), folder);
  return {
    path: join(folder, 'picture'),
    size: (await stat(join(folder, 'picture'))).size,
    width: full.width,
    height: full.pageHeight ?? full.height,
    ...thumbnail,
  };
}

/** The names of decoders. */
const formats: Readonly<Record<string, string>> = {
  'image/png': 'png',
  'image/jpeg': 'jpeg',
  'image/gif': 'gif',
  'image/webp': 'webp',
  'image/avif': 'heif',
};

/** Reads the header only. @returns whether the picture has several frames */
async function checkHeader(path: string, type: string, { pixelsMax }: PictureLimits): Promise<boolean> {
  // No limit here, so that a picture that is too large is told from one that cannot be decoded.
  const header = await sharp(path, { limitInputPixels: false, failOn: 'error' }).metadata();
  const { format, width, height, pages = 1 } = header;
  if (format !== formats[type]) throw new Error(`${type} is decoded as ${format}`);
  if (width * height * pages > pixelsMax) throw new TooManyPixels(`${width} × ${height} × ${pages} pixels`);
  return pages > 1;
}

async function makeThumbnail(picture: Sharp, folder: string) {
  const path = join(folder, 'thumbnail');
  const inside = (side: number) => ({ width: side, height: side, fit: 'inside', withoutEnlargement: true }) as const;
  const { size } = await picture
    .autoOrient()
    .resize(inside(thumbnailSide))
    .webp({ quality: 75, effort: 2 })
    .toFile(path);
  const { data, info } = await sharp(path)
    .resize(inside(blurhashSide))
    .ensureAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true });
  const blurhash = encodeBlurhash(new Uint8ClampedArray(data), info.width, info.height, 4, 3);
  return { blurhash, thumbnail: { path, size, type: 'image/webp' } };
}
