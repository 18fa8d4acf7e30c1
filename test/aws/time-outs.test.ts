import { CloudWatchLogsClient, FilterLogEventsCommand } from '@aws-sdk/client-cloudwatch-logs';
import { DescribeNetworkAclsCommand, EC2Client } from '@aws-sdk/client-ec2';
import { GetCommandInvocationCommand, SSMClient } from '@aws-sdk/client-ssm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  CLIENT_SETTINGS,
  type ClientSettings,
  HOST_SETTINGS,
  SEARCH_SETTINGS,
} from '../../functions/aws/client-settings.ts';
import { DeadlineError, within } from '../../functions/shared/deadline.ts';
import { timeoutError } from '../../local/world/api/errors.ts';
import { type SilentServer, silentServer } from '../support/silent-server.ts';

let [mute, breaksOff]: SilentServer[] = [];
beforeAll(async () => {
  mute = await silentServer();
  breaksOff = await silentServer('HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: 1000\r\n\r\n<');
});
afterAll(async () => {
  await Promise.all([mute?.stop(), breaksOff?.stop()]);
});

/** The settings with other numbers: so many attempts, each with so many milliseconds. */
const hurried = (given: ClientSettings, maxAttempts: number, ms: number): ClientSettings => ({
  ...given,
  maxAttempts,
  requestHandler: { ...given.requestHandler, requestTimeout: ms, socketTimeout: ms },
});

const at = (server: SilentServer | undefined, settings: ClientSettings) => ({
  ...settings,
  endpoint: server?.endpoint ?? '',
  region: 'eu-central-1',
  credentials: { accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: 'not-a-secret' },
});

const readAcls = (client: EC2Client) => client.send(new DescribeNetworkAclsCommand({}));
const errorOf = (call: Promise<unknown>): Promise<unknown> =>
  call.then(
    () => 'an answer',
    (error: unknown) => error,
  );

async function timed<T>(run: () => Promise<T>): Promise<{ readonly result: T; readonly seconds: number }> {
  const started = performance.now();
  const result = await run();
  return { result, seconds: (performance.now() - started) / 1000 };
}

describe('a server that accepts and never answers', () => {
  it('is waited for as long as the settings say, and no longer', async () => {
    const settings = { ...HOST_SETTINGS, maxAttempts: 1 };
    const command = new GetCommandInvocationCommand({ CommandId: '0'.repeat(36), InstanceId: 'i-00000000' });

    const { result, seconds } = await timed(() => errorOf(new SSMClient(at(mute, settings)).send(command)));

    expect(result).toMatchObject({ name: 'TimeoutError' });
    expect(seconds).toBeGreaterThan(3.9);
    expect(seconds).toBeLessThan(6);
  });

  it.each([
    ['EC2', (settings: ClientSettings) => readAcls(new EC2Client(at(mute, settings))), CLIENT_SETTINGS],
    [
      'a search of logs',
      (settings: ClientSettings) =>
        new CloudWatchLogsClient(at(mute, settings)).send(new FilterLogEventsCommand({ logGroupName: 'flow' })),
      SEARCH_SETTINGS,
    ],
  ])('is asked again, and then given up: %s', async (_, call, settings) => {
    const before = mute?.connections() ?? 0;

    const error = await errorOf(call(hurried(settings, 3, 200)));

    expect(error).toMatchObject({ name: 'TimeoutError', $metadata: { attempts: 3 } });
    expect((mute?.connections() ?? 0) - before).toBe(3);
  });

  it('is the time-out of the embedded world', async () => {
    const error = await errorOf(readAcls(new EC2Client(at(mute, hurried(CLIENT_SETTINGS, 1, 100)))));

    const { name, message } = timeoutError(0.1);
    expect(error).toMatchObject({ name, message, code: (timeoutError(0.1) as Error & { code?: string }).code });
  });

  it('that falls silent within its answer is given up too', async () => {
    const error = await errorOf(readAcls(new EC2Client(at(breaksOff, hurried(CLIENT_SETTINGS, 2, 200)))));

    expect(error).toMatchObject({ name: 'TimeoutError' });
  });
});

describe('a deadline', () => {
  const client = (deadline: () => number, maxAttempts = 3) =>
    within(new EC2Client(at(mute, hurried(CLIENT_SETTINGS, maxAttempts, 300))), deadline);

  it('that has passed lets no call begin', async () => {
    const before = mute?.connections() ?? 0;

    const error = await errorOf(readAcls(client(() => Date.now() - 1)));

    expect(error).toBeInstanceOf(DeadlineError);
    expect(String(error)).toContain('DescribeNetworkAcls was not begun');
    expect(mute?.connections()).toBe(before);
  });

  it('ends the waiting for a call on its way, which is not tried again behind it', async () => {
    const before = mute?.connections() ?? 0;
    const ends = Date.now() + 450;

    const { result, seconds } = await timed(() => errorOf(readAcls(client(() => ends, 6))));
    await new Promise((resolve) => setTimeout(resolve, 1500));

    expect(result).toBeInstanceOf(DeadlineError);
    expect(String(result)).toContain('DescribeNetworkAcls was not answered');
    expect(seconds).toBeLessThan(1);
    expect((mute?.connections() ?? 0) - before).toBeLessThanOrEqual(2);
  });

  it('that is far off changes nothing', async () => {
    const error = await errorOf(readAcls(client(() => Date.now() + 60_000, 2)));

    expect(error).toMatchObject({ name: 'TimeoutError', $metadata: { attempts: 2 } });
  });
});
