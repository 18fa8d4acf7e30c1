import { describe, expect, it } from 'vitest';
import { cancelHostCommand } from '../../functions/aws/commands.ts';
import { checkHostCut } from '../../functions/check-host-cut/step.ts';
import type { Opened } from '../../functions/core/case/record.ts';
import { cutOnHost } from '../../functions/cut-on-host/step.ts';
import type { WorldFile } from '../../local/world/parse-world.ts';
import { type Bench, defaultWorld, ids, onBench, readEvent, refusedBy } from '../support/bench.ts';

type Host = WorldFile['Hosts'][number];

const withHost = (change: Partial<Host>, more: (world: WorldFile) => void = () => undefined): WorldFile =>
  defaultWorld((world) => {
    world.Hosts = [{ InstanceId: ids.instance, ...change } as Host];
    more(world);
  });

const cut = (bench: Bench, opened: Opened) => bench.cutHost(opened);

const finding = readEvent('guardduty-ec2-c2activity');

describe('cut on the host', () => {
  it('closes every flow, and has it confirmed by two lists', async () => {
    await onBench(withHost({}), async (bench) => {
      const opened = await bench.open(finding);
      const result = await cut(bench, opened);
      expect(result).toMatchObject({ kind: 'answered', summary: '2 of 2 flows closed' });
      const document = await bench.document(opened.case.caseId);
      expect(document.host).toMatchObject({ kind: 'answered', complete: true, listed: 2, closed: 2, survived: 0 });
      expect(document.flows).toMatchObject([
        { remoteAddress: ids.peer, named: true, host: 'gone', process: 'bash' },
        { remoteAddress: '192.0.2.55', named: false, host: 'gone', process: 'nginx' },
      ]);
    });
  });

  it('closes a second shell that no finding names, and asks for no deny: the peers that a host lists are its own word', async () => {
    const file = withHost({}, (world) => {
      const [shell] = world.Flows;
      if (shell) world.Flows.push({ ...shell, Name: 'second shell', LocalPort: 51_999, RemoteAddress: '203.0.113.66' });
    });
    await onBench(file, async (bench) => {
      const opened = await bench.open(finding);
      const result = await cut(bench, opened);
      expect(result).toMatchObject({ kind: 'answered', summary: '3 of 3 flows closed', denies: { cidrs: [] } });
      const { flows } = await bench.document(opened.case.caseId);
      expect(flows.find(({ remoteAddress }) => remoteAddress === '203.0.113.66')).toMatchObject({
        named: false,
        host: 'gone',
      });
    });
  });

  it('answers once, though it is looked at twice', async () => {
    await onBench(withHost({}), async (bench) => {
      const opened = await bench.open(finding);
      const sent = await cutOnHost(bench.tools, opened);
      if (sent.kind !== 'pending') throw new Error(sent.kind);
      await bench.tools.sleep(6);
      await checkHostCut(bench.tools, { ...opened, host: sent });
      const once = await bench.document(opened.case.caseId);
      await checkHostCut(bench.tools, { ...opened, host: sent });
      const { answeredAt: _at, ...host } = (await bench.document(opened.case.caseId)).host as { answeredAt: string };
      expect((await bench.document(opened.case.caseId)).flows).toEqual(once.flows);
      expect(once.host).toMatchObject(host);
    });
  });

  it('is sent twice without harm: the script is idempotent', async () => {
    await onBench(withHost({}), async (bench) => {
      const opened = await bench.open(finding);
      await cut(bench, opened);
      expect(await cut(bench, opened)).toMatchObject({ kind: 'answered', summary: '0 of 0 flows closed' });
      expect((await bench.document(opened.case.caseId)).flows[0]).toMatchObject({ host: 'gone' });
    });
  });

  it.each<[string, (world: WorldFile) => void]>([
    [
      'is not registered',
      (world) => {
        world.InstanceInformationList = [];
      },
    ],
    [
      'belongs to a stopped instance',
      (world) => {
        const instance = world.Reservations[0]?.Instances[0];
        if (instance) instance.State = { Code: 80, Name: 'stopped' };
      },
    ],
  ])('gives up at once where the agent %s: the isolation goes ahead', async (_, change) => {
    await onBench(defaultWorld(change), async (bench) => {
      const result = await cutOnHost(bench.tools, await bench.open(finding));
      expect(result).toMatchObject({ kind: 'unavailable', reason: expect.stringContaining('InvalidInstanceId') });
    });
  });

  it('gives up on an agent that says Online and never answers, at the end of the budget, and cancels', async () => {
    await onBench(withHost({ AgentAnswers: false }), async (bench) => {
      const opened = await bench.open(finding);
      const started = bench.world.clock.now();
      expect(await cut(bench, opened)).toEqual({ kind: 'unavailable', reason: 'the agent did not answer within 45 s' });
      expect(bench.world.clock.now() - started).toBeLessThan(60);
      expect(bench.calls('CancelCommand')).toBe(1);
      expect((await bench.document(opened.case.caseId)).host).toMatchObject({ kind: 'unavailable' });
    });
  });

  it.each<[string, (bench: Bench, commandId: string) => Promise<unknown>]>([
    ['it was cancelled', ({ tools }, commandId) => cancelHostCommand(tools.ssm, ids.instance, commandId)],
    ['it has timed out', ({ tools }) => tools.sleep(170)],
  ])('gives up at once where its command can come no more: %s', async (_, end) => {
    await onBench(withHost({ AgentAnswers: false }), async (bench) => {
      const opened = await bench.open(finding);
      const host = await cutOnHost(bench.tools, opened);
      if (host.kind !== 'pending') throw new Error(host.kind);
      await bench.tools.sleep(1);
      await end(bench, host.commandId);
      const started = bench.world.clock.now();
      const patient = { ...host, deadline: '2026-01-15T12:00:00Z' };

      expect(await checkHostCut(bench.tools, { ...opened, host: patient })).toMatchObject({ kind: 'unavailable' });
      expect(bench.world.clock.now() - started).toBeLessThan(3);
    });
  });

  it('takes garbage for no evidence', async () => {
    await onBench(withHost({ AgentLies: 'garbage' }), async (bench) => {
      const opened = await bench.open(finding);
      expect(await cut(bench, opened)).toMatchObject({ kind: 'no-evidence' });
      const document = await bench.document(opened.case.caseId);
      expect(document.host).toMatchObject({ kind: 'no-evidence' });
      expect(document.flows).toMatchObject([{ host: null }]);
    });
  });

  it('never calls a list complete on which something survived', async () => {
    const file = withHost({ SocketKill: false }, (world) => {
      for (const flow of world.Flows) flow.Process = null;
    });
    await onBench(file, async (bench) => {
      const opened = await bench.open(finding);
      await cut(bench, opened);
      const document = await bench.document(opened.case.caseId);
      expect(document.host).toMatchObject({ kind: 'answered', complete: false, survived: 2 });
      expect(document.flows).toMatchObject([{ host: 'open' }, { host: 'open' }]);
    });
  });

  it('keeps an earlier answer when a later command gets none', async () => {
    await onBench(withHost({}), async (bench) => {
      const opened = await bench.open(finding);
      await cut(bench, opened);
      bench.file.InstanceInformationList = [];
      bench.fail(({ call }) => call === 'GetCommandInvocation', refusedBy('AccessDeniedException'));
      const host = {
        kind: 'pending',
        verb: 'cut',
        commandId: 'x',
        deadline: '2026-01-15T10:00:00Z',
        lastPendingAt: '',
      } as const;
      expect(await checkHostCut(bench.tools, { ...opened, host })).toMatchObject({ kind: 'unavailable' });
      expect((await bench.document(opened.case.caseId)).host).toMatchObject({ kind: 'answered' });
    });
  });

  it('has nothing to do where nothing is to be contained', async () => {
    await onBench(withHost({}), async (bench) => {
      const planned = await bench.open({ instanceId: ids.instance, mode: 'observe' });
      expect(await cutOnHost(bench.tools, planned)).toEqual({
        kind: 'unavailable',
        reason: 'there is nothing to do on the host',
      });
      expect(bench.calls('SendCommand')).toBe(0);
    });
  });

  it('sends addresses and process ids, nothing of a finding that is text', async () => {
    await onBench(withHost({}), async (bench) => {
      const opened = await bench.open(readEvent('guardduty-runtime-c2activity'));
      await cutOnHost(bench.tools, opened);
      const [sent] = bench.inputsOf('SendCommand');
      expect(sent).toMatchObject({
        Parameters: {
          Verb: ['cut'],
          CaseId: [opened.case.caseId],
          RemoteAddresses: [expect.stringMatching(/^[0-9a-f.:,]+$/)],
          Pids: [expect.stringMatching(/^[0-9,]+$/)],
        },
      });
    });
  });
});
