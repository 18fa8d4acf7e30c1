import { describe, expect, it } from 'vitest';
import type { Simulation } from '../../local/simulate.ts';
import type { WorldFile, WorldHost } from '../../local/world/parse-world.ts';
import { ids, readEvent, shellAlone, shellWatched } from '../support/bench.ts';
import { inEpisode } from '../support/episode.ts';
import { simulate } from '../support/own-flow-log.ts';

const finding = readEvent('guardduty-ec2-c2activity');
const AGENT = `SSM agent of ${ids.instance}`;

/** The shortest timers that the type has by itself: what is silent for ten minutes is dead. */
function shortTimers(world: WorldFile): void {
  for (const { Instances } of world.Reservations) for (const one of Instances) one.InstanceType = 'm8i.large';
  for (const eni of world.NetworkInterfaces) delete eni.ConnectionTrackingConfiguration;
}

const withAgent = (change: Partial<WorldHost> = {}, more: (world: WorldFile) => void = () => undefined) =>
  shellWatched((world) => {
    shortTimers(world);
    world.Hosts = [{ InstanceId: ids.instance, AgentConnection: true, ...change } as WorldHost];
    more(world);
  });

/** A flow log that has a gap after an hour proves nothing from then on, and nobody looks for ten days. */
function endsEarly(world: WorldFile): void {
  for (const log of world.FlowLogs) log.Gaps = [[3600, 7200]];
}

const agentOf = ({ truth }: Simulation) => truth.get(AGENT);
const leavesAgentOpen = ({ report }: Simulation): boolean => report.leftOpen.some((what) => what.includes('SSM agent'));
const callsOf = ({ timeline }: Simulation, state: string) =>
  timeline.filter((call) => call.state === state && call.call === 'SendCommand');

const CLOSES = 'Ask the agent to close its connection';

/** The longest timer, what a change needs to take effect, a flow log its delivery, and one look; seconds. */
const PROVEN_AFTER = 600 + 90 + 1200 + 300;

describe("the agent's own connection", () => {
  it.each<[string, Partial<WorldHost>]>([
    ['closes its sockets', {}],
    ['closes none, and starts its service anew', { SocketKill: false }],
    ['takes half a minute for everything', { AgentDelaySeconds: 30 }],
    ['hides the shell, and not its agent', { AgentLies: 'hides' }],
    ['is held by a root attacker, who dials in its place', { RootAttacker: true }],
  ])('ends after its answer, and the case is contained, where the host %s', async (_, host) => {
    const simulation = await simulate(withAgent(host), finding);

    expect(simulation.report.verdict).toBe('contained');
    expect(simulation.reportedAt).toBeLessThan(PROVEN_AFTER);
    expect(leavesAgentOpen(simulation)).toBe(false);
    expect(callsOf(simulation, CLOSES)).toHaveLength(1);
    expect(agentOf(simulation)?.lastPacketAt ?? 0).toBeLessThan(120);
  });

  it('stands under what is left open until it is proven, and the report says that it was asked to close', async () => {
    const { verdicts, messages, report } = await simulate(withAgent(), finding);

    // Looks of the watch that find the same stand there too.
    expect([...new Set(verdicts.map(({ verdict }) => verdict))]).toEqual(['held', 'contained']);
    expect(messages[0]?.message).toContain("the SSM agent's own connection");
    expect(report.onHost).toContainEqual(expect.stringMatching(/^the SSM agent was asked to close its own connection/));
  });

  it.each<[string, Partial<WorldHost>, number]>([
    ['only claims to close it', { AgentLies: 'claims-success' }, 1],
    ['does not answer', { AgentAnswers: false }, 0],
  ])('goes on, and the case is held and never contained, where the host %s', async (_, host, asked) => {
    const simulation = await simulate(withAgent(host, endsEarly), finding);

    expect(simulation.verdicts.map(({ verdict }) => verdict)).not.toContain('contained');
    expect(simulation.report).toMatchObject({ verdict: 'held', provenAt: null });
    expect(leavesAgentOpen(simulation)).toBe(true);
    expect(callsOf(simulation, CLOSES)).toHaveLength(asked);
    expect(agentOf(simulation)?.stoppedBy).toBeNull();
  });

  it('is left alone where AgentEgress lets it come back', async () => {
    const simulation = await simulate(withAgent(), finding, {
      config: { openings: { agentEgress: ['52.94.0.10/32'], analystIngress: [] } },
    });

    expect(callsOf(simulation, CLOSES)).toEqual([]);
    expect(agentOf(simulation)?.stoppedBy).toBeNull();
    expect(leavesAgentOpen(simulation)).toBe(true);
  });

  it('stops nothing where it cannot be asked: the instance is isolated and people are told all the same', async () => {
    const faults = [{ Api: 'SendCommand', Call: '2+', Error: 'AccessDeniedException', AfterEffect: false }] as const;
    const simulation = await simulate(
      withAgent({}, (world) => {
        endsEarly(world);
        world.Faults = faults.map((fault) => ({ ...fault }));
      }),
      finding,
    );

    expect(simulation.verdicts[0]).toMatchObject({ verdict: 'held' });
    expect(simulation.report.onHost.join()).not.toContain('asked to close');
    expect(leavesAgentOpen(simulation)).toBe(true);
  });

  it('is never called closed where no flow log watches', async () => {
    const simulation = await simulate(
      shellAlone((world) => {
        world.Hosts = [{ InstanceId: ids.instance, AgentConnection: true } as WorldHost];
      }),
      finding,
    );

    expect(simulation.report.verdict).toBe('held');
    expect(leavesAgentOpen(simulation)).toBe(true);
    expect(agentOf(simulation)).toMatchObject({ lastPacketAt: null, stoppedBy: 'host' });
  });

  it('comes back with the groups of a restore, which nothing of it refuses, and the host is undone over it', async () => {
    await inEpisode(withAgent(), async ({ send, restore }) => {
      const [report] = await send(finding);
      if (report === undefined) throw new Error('nothing was started');
      expect(report.verdict).toBe('contained');

      const restored = await restore(report.caseId);

      expect(restored.restore.kind).toBe('restored');
      expect(restored.report.putBack).toContainEqual(
        expect.objectContaining({ item: expect.stringMatching(/host/), outcome: 'restored' }),
      );
    });
  });
});

describe('an agent that does not answer', () => {
  it('delays the isolation no longer than its command can still come', async () => {
    const world = shellAlone(({ Hosts }) => {
      for (const host of Hosts) host.AgentAnswers = false;
    });

    const { timeline } = await simulate(world, finding);

    const at = (call: string) => timeline.find((one) => one.call === call)?.at ?? Number.NaN;
    expect(at('CancelCommand') - at('SendCommand')).toBeGreaterThan(44);
    expect(at('CancelCommand') - at('SendCommand')).toBeLessThan(47);
    expect(at('ModifyNetworkInterfaceAttribute') - at('CancelCommand')).toBeLessThan(4);
  });
});

describe('an endpoint in the VPC that the instance goes on to talk to', () => {
  const through = (ServiceName: string, faults: WorldFile['Faults'] = []) =>
    withAgent({ AgentLies: 'claims-success', AgentEndpoint: '10.0.9.9' }, (world) => {
      endsEarly(world);
      const [eni] = world.NetworkInterfaces;
      if (eni === undefined) throw new Error('the default world has lost its interface');
      const { Attachment: _attachment, Association: _association, ...rest } = structuredClone(eni);
      const id = 'eni-00000000000000e09';
      world.NetworkInterfaces.push({
        ...rest,
        NetworkInterfaceId: id,
        InterfaceType: 'vpc_endpoint',
        RequesterManaged: true,
        SubnetId: 'subnet-00000000000000b09',
        PrivateIpAddress: '10.0.9.9',
        PrivateIpAddresses: [{ Primary: true, PrivateIpAddress: '10.0.9.9' }],
      });
      world.Subnets.push({ SubnetId: 'subnet-00000000000000b09', VpcId: ids.vpc, CidrBlock: '10.0.9.0/24' });
      world.VpcEndpoints = [
        {
          VpcEndpointId: 'vpce-00000000000000a09',
          VpcEndpointType: 'Interface',
          VpcId: ids.vpc,
          ServiceName,
          NetworkInterfaceIds: [id],
        },
      ];
      world.Faults = faults;
    });
  const refused = {
    Api: 'DescribeVpcEndpoints',
    Call: '1+',
    Error: 'UnauthorizedOperation',
    AfterEffect: false,
  } as const;

  it.each<[string, WorldFile, string]>([
    [
      "the agent's: it is held, and stands under what is left open",
      through('com.amazonaws.eu-central-1.ssmmessages'),
      'held',
    ],
    [
      'of another service: it leaks, whoever says that it is the agent',
      through('com.amazonaws.eu-central-1.s3'),
      'leaking',
    ],
    ['of a service that cannot be read: it leaks', through('com.amazonaws.eu-central-1.ssm', [refused]), 'leaking'],
  ])('is %s', async (_, world, verdict) => {
    // A month of looks at a log that never falls silent is no part of this.
    const { report } = await simulate(world, finding, { parameters: { WatchDays: '0' } });

    expect(report.verdict).toBe(verdict);
    expect(report.leftOpen.some((what) => what.includes('10.0.9.9'))).toBe(verdict === 'held');
    // A deny would cut neighbours off.
    expect(report.held.map(({ Cidr }) => Cidr)).not.toContain('10.0.9.9/32');
  });
});
