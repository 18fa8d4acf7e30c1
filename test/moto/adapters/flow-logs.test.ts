import { gzipSync } from 'node:zlib';
import { PutObjectCommand } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readLogFiles } from '../../../functions/aws/flow-log-bucket.ts';
import { flowLogsOn } from '../../../functions/aws/flow-logs.ts';
import { createOwnFlowLog, deleteFlowLogs } from '../../../functions/aws/own-flow-logs.ts';
import { isAsOurs } from '../../../functions/core/verdict/own-log.ts';
import { startMoto } from '../../../scripts/moto-server.ts';
import { type Account, buildAccount } from '../support/account.ts';
import { ACCOUNT, BUCKET, type Clients, clientsAt, createFlowLogBucket, REGION } from '../support/clients.ts';

const moto = await startMoto();
afterAll(() => moto?.stop());

const bucketArn = `arn:aws:s3:::${BUCKET}`;
const CASE = 'case-0123456789abcdef0123';

describe.skipIf(moto === null)('our own flow log, over HTTP', () => {
  const clients: Clients = clientsAt(moto?.endpoint ?? '');
  const { ec2, s3 } = clients;
  let account: Account;
  beforeAll(async () => {
    account = await buildAccount(clients);
    await createFlowLogBucket(clients);
  });

  test('is made once, with the tag of the case, is found as ours, and is deleted', async () => {
    const networkInterfaceId = account.victim.secondInterfaceId;
    await createOwnFlowLog(ec2, { networkInterfaceId, bucketArn, caseId: CASE });
    await createOwnFlowLog(ec2, { networkInterfaceId, bucketArn, caseId: CASE });
    const logs = await flowLogsOn(ec2, [networkInterfaceId]);
    expect(logs).toMatchObject([{ resourceId: networkInterfaceId, caseId: CASE, problem: null, intervalSeconds: 60 }]);
    expect(logs.map((log) => isAsOurs(log, bucketArn))).toEqual([true]);
    await deleteFlowLogs(
      ec2,
      logs.map(({ id }) => id),
    );
    expect(await flowLogsOn(ec2, [networkInterfaceId])).toEqual([]);
  });

  test('is read from its bucket: its own files alone, page by page', async () => {
    const now = new Date();
    const day = now.toISOString().slice(0, 10).replaceAll('-', '/');
    const key = (id: string, minute: number) =>
      `AWSLogs/${ACCOUNT}/vpcflowlogs/${REGION}/${day}/${ACCOUNT}_vpcflowlogs_${REGION}_${id}_${String(minute).padStart(4, '0')}.log.gz`;
    const put = (id: string, minute: number) =>
      s3.send(new PutObjectCommand({ Bucket: BUCKET, Key: key(id, minute), Body: gzipSync(`${id} ${minute}`) }));
    for (let minute = 0; minute < 30; minute += 1) await put('fl-1', minute);
    await put('fl-2', 7);
    const texts: string[] = [];
    const until = now.getTime() / 1000;
    const search = { bucket: BUCKET, folder: '', accountId: ACCOUNT, region: REGION, flowLogId: 'fl-1' };
    await readLogFiles(s3, { ...search, from: until - 60, to: until }, Date.now() + 60_000, (text) => texts.push(text));
    expect(texts).toEqual(Array.from({ length: 30 }, (_, minute) => `fl-1 ${minute}`));
    await expect(
      readLogFiles(s3, { ...search, bucket: 'nobodys', from: until, to: until }, Date.now() + 60_000, () => undefined),
    ).rejects.toMatchObject({ name: 'NoSuchBucket' });
  });
});
