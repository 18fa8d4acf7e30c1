import { describe, expect, it } from 'vitest';
import { LOG_FIELDS } from '../../functions/core/verdict/log-format.ts';
import { reportCase } from '../../functions/report-case/step.ts';
import { verifyCut } from '../../functions/verify-cut/step.ts';
import type { WorldFile } from '../../local/world/parse-world.ts';
import { type Bench, ids, onBench, readEvent, refusedBy, shellWatched, twoInterfaces } from '../support/bench.ts';
import { DEFAULT_FIELDS, formatText, rewriteLines } from '../support/flow-log.ts';
import { updateCase } from '../support/update-case.ts';

const finding = readEvent('guardduty-ec2-c2activity');

const FIVE_DAYS = 432_000;

/** The shell alone, watched by a flow log of its VPC that is as said. */
const watchedBy = (log: object, change: (world: WorldFile) => void = () => undefined) =>
  shellWatched((world) => {
    Object.assign(world.FlowLogs[0] ?? {}, log);
    change(world);
  });

/** How long the whole response took, in seconds: it looks again until the flow log has proven it, or cannot. */
const waitIn = (bench: Bench): number => bench.world.clock.now();

const searches = (bench: Bench) =>
  bench.inputsOf('FilterLogEvents') as { limit?: number; logStreamNamePrefix?: string }[];

describe('a flow log of a format of its own', () => {
  const long = [...LOG_FIELDS.slice(0, 14), 'vpc-id', 'tcp-flags', 'pkt-srcaddr', 'pkt-dstaddr', 'flow-direction'];

  it.each<[string, readonly string[]]>([
    ['with fields of version 5 at its end', long],
    ['in an order of its own', [...DEFAULT_FIELDS].reverse()],
    ['without ports and protocol', DEFAULT_FIELDS.filter((name) => !/port|protocol/.test(name))],
  ])('is waited for and proves the flow dead: %s', async (_, names) => {
    await onBench(watchedBy({ LogFormat: formatText(...names) }), async (bench) => {
      const record = await bench.contain(finding);
      expect(waitIn(bench)).toBeGreaterThan(FIVE_DAYS);
      expect(record.verdict?.kind).toBe('contained');
    });
  });

  it('shows a shell that the host hides, in a format of its own too', async () => {
    const hidden = watchedBy({ LogFormat: formatText(...long) }, (world) => {
      const [shell] = world.Flows;
      if (shell) world.Flows.push({ ...shell, Name: 'second', LocalPort: 51_999, RemoteAddress: '203.0.113.66' });
      world.Hosts = [{ InstanceId: ids.instance, AgentLies: 'hides' } as WorldFile['Hosts'][number]];
    });
    await onBench(hidden, async (bench) => {
      expect((await bench.contain(finding)).verdict?.kind).toBe('leaking');
    });
  });
});

describe('a flow log that cannot be read', () => {
  const withoutAction = formatText(...DEFAULT_FIELDS.filter((name) => name !== 'action'));

  it.each<[string, object, string | null, string]>([
    ['has a format without the action', { LogFormat: withoutAction }, null, 'action'],
    ['is delivered to a bucket', { LogDestinationType: 's3' }, null, 'bucket'],
    [
      'is delivered to another account',
      { LogDestination: 'arn:aws:logs:eu-central-1:444455556666:log-group:central' },
      null,
      '444455556666',
    ],
    [
      'is not delivered',
      { DeliverLogsStatus: 'FAILED', DeliverLogsErrorMessage: 'Access error' },
      null,
      'Access error',
    ],
    ['may not be searched', {}, 'AccessDeniedException', 'AccessDeniedException'],
    ['is in a log group of Infrequent Access', {}, 'InvalidOperationException', 'InvalidOperationException'],
    ['has lost its log group', {}, 'ResourceNotFoundException', 'ResourceNotFoundException'],
  ])('is not waited for, and told as the cause: it %s', async (_, log, refusal, cause) => {
    await onBench(watchedBy(log), async (bench) => {
      if (refusal !== null) bench.fail(({ call }) => call === 'FilterLogEvents', refusedBy(refusal));
      const record = await bench.contain(finding);
      const report = await reportCase(bench.tools, record);
      expect(waitIn(bench)).toBeLessThan(200);
      expect([record.verdict?.kind, report.verdict]).toEqual(['held', 'held']);
      expect(report.reason).toContain(cause);
      expect(report.leftOpen.join('\n')).toContain(cause);
    });
  });

  it('is told as the cause before the wait, too', async () => {
    await onBench(watchedBy({}), async (bench) => {
      bench.fail(({ call }) => call === 'FilterLogEvents', refusedBy('AccessDeniedException'));
      const { isolation, verdict: _later, ...record } = await bench.contain(finding);
      const isolated = isolation?.swap;
      if (isolated === undefined) throw new Error('nothing was isolated');
      const report = await reportCase(bench.tools, { ...record, isolated });
      expect(report.leftOpen.join('\n')).toContain('AccessDeniedException');
    });
  });

  it('is waited for where the service has but a bad moment', async () => {
    await onBench(watchedBy({}), async (bench) => {
      const isBad = () => bench.world.clock.now() < 3600;
      bench.fail(({ call }) => call === 'FilterLogEvents' && isBad(), refusedBy('ServiceUnavailableException'));
      const record = await bench.contain(finding);
      expect(waitIn(bench)).toBeGreaterThan(FIVE_DAYS);
      expect(record.verdict?.kind).toBe('contained');
    });
  });

  it('of one interface leaves the others unproven: nothing is waited for', async () => {
    const oneOfTwo = shellWatched((world) => {
      twoInterfaces(world);
      world.FlowLogs = [{ ResourceId: ids.eni, DeliverySeconds: 300 }];
    });
    await onBench(oneOfTwo, async (bench) => {
      const record = await bench.contain(finding);
      expect(waitIn(bench)).toBeLessThan(200);
      expect(record.verdict).toMatchObject({ kind: 'held', reason: expect.stringContaining(ids.secondEni) });
    });
  });
});

describe('the search of a flow log', () => {
  it('is one per interface and look, in its own stream, however many peers there are', async () => {
    const many = watchedBy({}, (world) => {
      twoInterfaces(world);
      const [shell] = world.Flows;
      for (let port = 1; shell && port < 40; port += 1) {
        world.Flows.push({
          ...shell,
          Name: `peer ${port}`,
          LocalPort: 52_000 + port,
          RemoteAddress: `203.0.113.${port}`,
        });
      }
    });
    await onBench(many, async (bench) => {
      const record = await bench.contain(finding);
      const whole = searches(bench).filter(({ limit }) => limit === undefined);
      const looks = record.verdict?.attempt ?? 0;
      expect(looks).toBeGreaterThan(1);
      expect(whole).toHaveLength(2 * looks);
      expect(new Set(whole.map(({ logStreamNamePrefix }) => logStreamNamePrefix))).toEqual(
        new Set([ids.eni, ids.secondEni]),
      );
      await reportCase(bench.tools, record);
      expect(searches(bench)).toHaveLength(whole.length + 1);
    });
  });

  it('goes on for few interfaces at once', async () => {
    const wide = watchedBy({}, (world) => {
      const [eni] = world.NetworkInterfaces;
      for (let index = 1; eni && index < 10; index += 1) {
        const address = `10.0.1.${100 + index}`;
        world.NetworkInterfaces.push({
          ...structuredClone(eni),
          NetworkInterfaceId: `eni-000000000000001${String(index).padStart(2, '0')}`,
          PrivateIpAddress: address,
          PrivateIpAddresses: [{ Primary: true, PrivateIpAddress: address }],
          Attachment: { ...structuredClone(eni.Attachment), AttachmentId: `eni-attach-${index}`, DeviceIndex: index },
        });
      }
    });
    await onBench(wide, async (bench) => {
      let [atOnce, most, all] = [0, 0, 0];
      bench.tools.logs.middlewareStack.add(
        (next) => async (given) => {
          atOnce += 1;
          all += 1;
          most = Math.max(most, atOnce);
          await bench.tools.sleep(1);
          const answer = await next(given);
          atOnce -= 1;
          return answer;
        },
        { step: 'initialize', name: 'count' },
      );
      expect((await bench.contain(finding)).verdict?.kind).toBe('contained');
      expect([all >= 11, most]).toEqual([true, 3]);
    });
  });

  it('is given up before the function is, and proves nothing then', async () => {
    await onBench(shellWatched(), async (bench) => {
      const record = await bench.contain(finding);
      bench.tools.logs.middlewareStack.add(() => () => new Promise(() => undefined), {
        step: 'initialize',
        name: 'hang',
      });
      const before = bench.world.clock.now();
      const verdict = await verifyCut(bench.tools, record);
      expect(verdict.kind).toBe('held');
      expect(verdict.reason).toContain('in time');
      expect(bench.world.clock.now() - before).toBeLessThan(250);
    });
  });

  it('sees a hole in the middle of five days', async () => {
    await onBench(shellWatched(), async (bench) => {
      const zero = Date.parse(bench.file.Now) / 1000;
      rewriteLines(bench.tools.logs, (line, start) => (start > zero + 200_000 && start < zero + 208_000 ? null : line));
      const { verdict } = await bench.contain(finding);
      expect(verdict).toMatchObject({ kind: 'held', reason: expect.stringContaining('hole') });
    });
  });

  it('sees records that were skipped in the middle of five days', async () => {
    await onBench(shellWatched(), async (bench) => {
      const zero = Date.parse(bench.file.Now) / 1000;
      rewriteLines(bench.tools.logs, (line, start) =>
        start > zero + 200_000 && start < zero + 204_000 ? line.replace('NODATA', 'SKIPDATA') : line,
      );
      const { verdict } = await bench.contain(finding);
      expect(verdict).toMatchObject({ kind: 'held', reason: expect.stringContaining('skipped') });
    });
  });

  it('is not misled by lines that somebody else wrote', async () => {
    await onBench(shellWatched(), async (bench) => {
      const zero = Date.parse(bench.file.Now) / 1000;
      const forged = `2 111122223333 ${ids.eni} - - - - - - - ${zero} ${zero + 9_000_000_000} - NODATA`;
      let isFirst = true;
      rewriteLines(bench.tools.logs, (line) => {
        const mine = isFirst ? forged : '\u0000 2 \uffff NODATA OK';
        isFirst = !isFirst;
        return line.length > 0 ? mine : line;
      });
      expect((await bench.contain(finding)).verdict?.kind).toBe('held');
    });
  });
});

describe('what the verification has heard', () => {
  it('is not searched for again by the report, and leads to the same verdict', async () => {
    await onBench(shellWatched(), async (bench) => {
      const record = await bench.contain(finding);
      const before = searches(bench).length;
      const report = await reportCase(bench.tools, record);
      expect(searches(bench)).toHaveLength(before);
      expect(report).toMatchObject({ verdict: 'contained', basis: ['host', 'flow-log'] });
    });
  });

  it('is asked for anew where no verification has ended, or where something was cut since', async () => {
    await onBench(shellWatched(), async (bench) => {
      const { verdict, ...record } = await bench.contain(finding);
      const before = searches(bench).length;
      await reportCase(bench.tools, record);
      expect(searches(bench)).toHaveLength(before + 1);
      const cutAgainAt = bench.tools.now().toISOString();
      await updateCase(bench.tools.cases, record.case.caseId, (stored) => ({ ...stored, cutAgainAt }));
      expect((await reportCase(bench.tools, { ...record, ...(verdict && { verdict }) })).verdict).toBe('held');
      expect(searches(bench)).toHaveLength(before + 2);
    });
  });

  it('is asked for anew where it could not be kept', async () => {
    await onBench(shellWatched(), async (bench) => {
      bench.fail(
        ({ call, input }) => call === 'PutItem' && JSON.stringify(input).includes('"HEARD"'),
        refusedBy('ValidationException'),
      );
      const record = await bench.contain(finding);
      const before = searches(bench).length;
      expect((await reportCase(bench.tools, record)).verdict).toBe('contained');
      expect(searches(bench)).toHaveLength(before + 1);
    });
  });
});
