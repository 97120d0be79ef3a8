/**
 * A worker thread that looks into one uploaded file at a time. Everything that parses what strangers sent is here, so a
 * file that keeps a parser busy costs a thread that is ended, and not the instance.
 */
import { parentPort } from 'node:worker_threads';
import { detectType, pictureType, unknownType } from './file-kind.ts';
import type { Inspected, InspectionTask } from './inspection-pool.ts';

async function inspect({ path, folder, pixelsMax, timeoutMs }: InspectionTask): Promise<Inspected> {
  const type = await detectType(path);
  const picture = pictureType(type);
  if (!picture) return { type };
  // Loaded with the first picture: it takes longer than most files.
  const { encodePicture, TooManyPixels } = await import('./picture-encoding.ts');
  try {
    return { type: picture, picture: await encodePicture(path, picture, folder, { pixelsMax, timeoutMs }) };
  } catch (error) {
    if (error instanceof TooManyPixels) return { refused: 'pixels' };
    // Nobody can see it, so it is kept as what it is: bytes to download.
    return { type: unknownType };
  }
}

parentPort!.on('message', (task: InspectionTask) => {
  inspect(task).then(
    (inspected) => parentPort!.postMessage(inspected),
    (error: unknown) => parentPort!.postMessage({ failed: String(error) }),
  );
});
