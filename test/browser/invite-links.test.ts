import { expect, test } from 'vitest';
import { confirm, devices, enterRoom, openPageStage, visit } from '../harness/page-visits.ts';
import { createRoom, mustCall } from '../harness/test-client.ts';

const stage = openPageStage();

for (const [device, options] of devices)
  test(`on a ${device} the invite links of a room are listed and revoked after a question, and a revoked one admits nobody`, async () => {
    const { ana, ben } = await stage.twoPeople();
    const roomId = await createRoom([ana], { name: `Invites ${device}` });
    const path = `/v1/rooms/${roomId}/invites`;
    const earlier = await mustCall(ana, 'POST', path, { maxUses: 3 });
    const page = await visit(stage.browser, { url: stage.url, person: ana, options });
    await enterRoom(page, 'Invites');
    await page.getByRole('button', { name: '1 person' }).click();
    const listed = page.getByRole('list', { name: 'Links in use' }).getByRole('listitem');
    await listed.filter({ hasText: 'used 0 of 3 times' }).waitFor();
    await page.getByRole('button', { name: 'Invite by link' }).click();
    const link = await page.getByLabel('Invite link').inputValue();
    await expect.poll(() => listed.count()).toBe(2);

    const short = link.slice(-6);
    await page.getByRole('button', { name: `Revoke …${short}` }).click();
    await confirm(page, 'Cancel');
    expect((await mustCall(ana, 'GET', path)).items).toHaveLength(2);
    await page.getByRole('button', { name: `Revoke …${short}` }).click();
    await confirm(page, 'Revoke');
    await expect.poll(() => listed.count()).toBe(1);
    // The link that was shown to be copied is gone with it.
    await expect.poll(() => page.getByLabel('Invite link').count()).toBe(0);
    expect((await ben.call('POST', `/v1/invites/${link.split('/').at(-1)}/accept`)).status).toBe(404);
    expect((await ben.call('POST', `/v1/invites/${earlier.code as string}/accept`)).status).toBe(200);
    expect(await page.evaluate('document.documentElement.scrollWidth - innerWidth')).toBeLessThanOrEqual(0);
  });
