import { describe, expect, it } from 'vitest';
import { parseHostOutput } from '../../../functions/core/host/host-protocol.ts';
import { allTraffic, bench, ids, theShell, theWorld, truthOf } from './fixtures.ts';

const benign = {
  Name: 'package mirror',
  Malicious: false,
  NetworkInterfaceId: ids.eni,
  LocalPort: 40_000,
  RemoteAddress: '203.0.113.80',
  RemotePort: 443,
  Process: { Pid: 77, Name: 'dnf' },
};
const onHost = (host: object, flows: object[] = [theShell, benign]) => ({
  ...theWorld,
  Flows: flows,
  Hosts: [{ InstanceId: ids.instance, ...host }],
});
const report = (answer: { stdout: string } | null, verb: 'list' | 'cut' | 'verify' | 'undo') =>
  parseHostOutput(answer?.stdout ?? '', { verb, caseId: 'case-1' });
const afters = (answer: { stdout: string } | null, verb: 'list' | 'cut' | 'verify') => {
  const parsed = report(answer, verb);
  return parsed.kind === 'evidence'
    ? parsed.flows.map((one) => `${one.remoteAddress} ${one.after}`).sort()
    : parsed.kind;
};

describe('an honest host', () => {
  it('answers after its delay and not before', () => {
    const on = bench(onHost({ AgentDelaySeconds: 3 }));

    const command = on.command(10, 'list');

    expect(command.answer(12.9)).toBeNull();
    expect(afters(command.answer(13), 'list')).toEqual(['198.51.100.7 open', '203.0.113.80 open']);
  });

  it('closes every flow, denies the addresses and says so', () => {
    const on = bench(onHost({}));

    const cut = report(on.command(10, 'cut', '198.51.100.7').answer(13), 'cut');

    expect(cut).toMatchObject({
      kind: 'evidence',
      verdict: { closed: 2, survived: 0, firewall: 'nftables', sources: ['ss', 'proc'] },
    });
    expect(afters(on.command(20, 'verify').answer(23), 'verify')).toEqual([]);
    expect(on.physics.openFlows(ids.instance)).toEqual([]);
    expect(truthOf(on)).toEqual({ lastPacketAt: 10, stoppedBy: 'host', revivedAt: null });
  });

  it('undoes its firewall and nothing else', () => {
    const on = bench(onHost({ SocketKill: false }, [{ ...theShell, Process: null }]));
    on.command(10, 'cut', '198.51.100.7').answer(13);
    expect(on.physics.truthNow()[0]).toMatchObject({ stoppedBy: 'host' });

    const undo = report(on.command(20, 'undo').answer(23), 'undo');

    expect(undo).toMatchObject({ verdict: { firewall: 'none', listed: 0 } });
    expect(truthOf(on)).toMatchObject({ stoppedBy: null });
  });

  it.each([
    { socketKill: true, process: null, survivors: 'stop', after: 'gone' },
    { socketKill: false, process: theShell.Process, survivors: 'kill', after: 'gone' },
    { socketKill: false, process: theShell.Process, survivors: 'stop', after: 'open' },
    { socketKill: false, process: theShell.Process, survivors: 'leave', after: 'open' },
    { socketKill: false, process: null, survivors: 'kill', after: 'open' },
  ])('SocketKill $socketKill, process $process, Survivors $survivors: $after', (given) => {
    const on = bench(onHost({ SocketKill: given.socketKill }, [{ ...theShell, Process: given.process }]));

    const answer = on.command(10, 'cut', 'none', { Survivors: given.survivors }).answer(13);

    expect(afters(answer, 'cut')).toEqual([`198.51.100.7 ${given.after}`]);
  });

  it('stops who holds a socket that the kernel cannot close: it says nothing more, and can be let go on', () => {
    const on = bench(onHost({ SocketKill: false }, [theShell, { ...benign, OpenedBy: 'instance' }]));

    const cut = report(on.command(10, 'cut').answer(13), 'cut');

    expect(cut).toMatchObject({ verdict: { closed: 0, survived: 2, stopped: [4242, 77] } });
    // The peer still sends, and the kernel acknowledges: the flow is not dead.
    on.physics.advanceTo(100);
    expect(on.physics.truthNow()[0]).toMatchObject({ lastPacketAt: 100, stoppedBy: null });
    on.command(100, 'undo', 'none', { Pids: '4242' }).answer(103);
    const again = report(on.command(110, 'cut', 'none', { Survivors: 'leave' }).answer(113), 'cut');
    expect(again).toMatchObject({ verdict: { stopped: [77] } });
  });

  it('keeps a stopped process silent where its peer waits for it, until it is let go on', () => {
    const dormant = { ...theShell, PacketEverySeconds: null, WakesAtSeconds: 60 };
    const on = bench(onHost({ SocketKill: false }, [dormant]));
    on.command(10, 'cut').answer(13);

    on.physics.advanceTo(100);
    expect(on.physics.truthNow()[0]).toMatchObject({ lastPacketAt: null });
    on.command(100, 'undo', 'none', { Pids: '4242' }).answer(103);

    on.physics.advanceTo(120);
    expect(on.physics.truthNow()[0]?.lastPacketAt).toBeGreaterThanOrEqual(103);
  });

  it('closes nothing on Windows but by the end of the owner', () => {
    const windows = (survivors: object) => {
      const world = onHost({});
      const Reservations = [{ Instances: [{ ...theWorld.Reservations[0]?.Instances[0], Platform: 'windows' }] }];
      return afters(
        bench({ ...world, Reservations })
          .command(10, 'cut', 'none', { ...survivors })
          .answer(13),
        'cut',
      );
    };

    expect(windows({})).toEqual(['198.51.100.7 open', '203.0.113.80 open']);
    expect(windows({ Survivors: 'kill' })).toEqual(['198.51.100.7 gone', '203.0.113.80 gone']);
  });

  it('drops everything in quarantine, until it is undone', () => {
    const on = bench(
      onHost({ SocketKill: false }, [
        { ...theShell, Process: null },
        { ...benign, Process: null },
      ]),
    );

    on.command(10, 'cut', 'none', { Mode: 'quarantine' }).answer(13);

    expect(on.physics.truthNow().map(({ stoppedBy }) => stoppedBy)).toEqual(['host', 'host']);
    on.command(20, 'undo').answer(23);
    expect(on.physics.truthNow().map(({ stoppedBy }) => stoppedBy)).toEqual([null, null]);
  });

  it('describes the processes behind the flows, and says why a flow was asked for', () => {
    const on = bench(onHost({}, [theShell, benign]));

    const cut = report(on.command(10, 'cut', 'none', { Pids: '4242', Ports: '443' }).answer(13), 'cut');

    expect(cut).toMatchObject({
      flows: [
        { remoteAddress: '198.51.100.7', asked: 'pid' },
        { remoteAddress: '203.0.113.80', asked: 'port' },
      ],
      processes: [
        { pid: 4242, role: 'named', process: 'bash' },
        { pid: 77, role: 'owner', process: 'dnf' },
      ],
      verdict: { processes: 2, processesOmitted: 0 },
    });
  });

  it('keeps its output within what the protocol believes', () => {
    const many = Array.from({ length: 200 }, (_, index) => ({
      ...theShell,
      Name: `shell ${index}`,
      LocalPort: 1000 + index,
    }));
    const on = bench(onHost({}, many));

    expect(report(on.command(10, 'cut').answer(13), 'cut')).toMatchObject({
      kind: 'evidence',
      verdict: { listed: 200, closed: 200 },
    });
  });

  it('lists a ping socket, which has no ports, and closes it', () => {
    const on = bench(onHost({}, [{ ...theShell, Protocol: 'icmp', LocalPort: null, RemotePort: null }]));

    const answer = on.command(10, 'cut').answer(13);

    expect(afters(answer, 'cut')).toEqual(['198.51.100.7 gone']);
    expect(answer?.stdout).toContain('"protocol":"icmp"');
  });

  it('does not run what was cancelled before it started', () => {
    const on = bench(onHost({}));

    const command = on.command(10, 'cut');
    command.cancel(11);

    expect(command.answer(100)).toBeNull();
    expect(on.physics.openFlows(ids.instance)).toHaveLength(2);
  });
});

describe('a silent or lying agent', () => {
  it('AgentAnswers false: in progress for ever, and nothing is done', () => {
    const on = bench(onHost({ AgentAnswers: false }));

    expect(on.command(10, 'cut').answer(5000)).toBeNull();
    expect(on.physics.openFlows(ids.instance)).toHaveLength(2);
  });

  it('garbage is no evidence', () => {
    const on = bench(onHost({ AgentLies: 'garbage' }));

    expect(report(on.command(10, 'cut').answer(13), 'cut').kind).toBe('no-evidence');
  });

  it('claims-success closes nothing, denies nothing and says it did', () => {
    const on = bench(onHost({ AgentLies: 'claims-success' }));

    const cut = on.command(10, 'cut', '198.51.100.7').answer(13);

    expect(afters(cut, 'cut')).toEqual(['198.51.100.7 gone', '203.0.113.80 gone']);
    expect(report(cut, 'cut')).toMatchObject({ verdict: { firewall: 'nftables' } });
    expect(afters(on.command(20, 'verify').answer(23), 'verify')).toEqual(['198.51.100.7 gone', '203.0.113.80 gone']);
    expect(truthOf(on).stoppedBy).toBeNull();
  });

  it('hides does not list malicious flows, nor close them', () => {
    const on = bench(onHost({ AgentLies: 'hides' }));

    expect(afters(on.command(10, 'cut').answer(13), 'cut')).toEqual(['203.0.113.80 gone']);
    expect(on.physics.openFlows(ids.instance)).toEqual(['reverse shell']);
  });
});

describe('a root attacker', () => {
  it('opens the killed flow anew after 30 s, when the host rule is gone', () => {
    const on = bench(onHost({ RootAttacker: true }));

    on.command(9, 'cut', '198.51.100.7');
    on.physics.advanceTo(60);

    expect(on.physics.truthNow()).toMatchObject([
      { lastPacketAt: 57, stoppedBy: null, revivedAt: 42, localPorts: [51_234, expect.any(Number)] },
      { stoppedBy: 'host', revivedAt: null, localPorts: [40_000] },
    ]);
  });

  it('is judged as a new connection: isolation keeps it out, and the SYN is given up after 127 s', () => {
    const on = bench(onHost({ RootAttacker: true }));

    on.command(9, 'cut');
    on.swap(20, ids.isolation);
    on.swap(200, ids.group);

    expect(truthOf(on)).toEqual({ lastPacketAt: 10, stoppedBy: 'security-group', revivedAt: null });
  });

  it('gets through with a SYN that is sent again after isolation was lifted early', () => {
    const on = bench(onHost({ RootAttacker: true }));

    on.command(9, 'cut');
    on.swap(20, ids.isolation);
    on.swap(60, ids.group);

    expect(truthOf(on)).toMatchObject({ stoppedBy: null, revivedAt: 42 + 31 });
  });

  it('is stopped by a deny', () => {
    const on = bench(onHost({ RootAttacker: true }));

    on.deny(8);
    on.command(9, 'cut');

    expect(truthOf(on)).toEqual({ lastPacketAt: 5, stoppedBy: 'nacl', revivedAt: null });
  });

  it('removes the host rule after 20 s also where no socket was closed', () => {
    const on = bench(onHost({ RootAttacker: true, SocketKill: false }, [{ ...theShell, Process: null }]));

    on.command(9, 'cut', '198.51.100.7');

    // Dropped on the host from 12 s on; the rule is gone at 32 s, the next retransmission is at 15 + 25.4 s.
    expect(truthOf(on)).toMatchObject({ stoppedBy: null, revivedAt: 40.4 });
  });
});

describe("the agent's path", () => {
  const endpoint = {
    VpcEndpointId: 'vpce-00000000000000001',
    VpcEndpointType: 'Interface',
    VpcId: ids.vpc,
    ServiceName: 'com.amazonaws.eu-central-1.ssmmessages',
    SubnetIds: [ids.subnet],
  };
  const httpsTo = (cidr: string) => [{ IpProtocol: 'tcp', FromPort: 443, ToPort: 443, IpRanges: [{ CidrIp: cidr }] }];
  const withIsolation = (egress: object[], members: object = {}) => ({
    ...onHost({}),
    SecurityGroups: theWorld.SecurityGroups.map((one) =>
      one.GroupId === ids.isolation ? { ...one, IpPermissionsEgress: egress } : one,
    ),
    ...members,
  });

  it.each([
    { title: 'a group without rules', world: withIsolation([]), answers: false },
    { title: 'egress 443 to everywhere', world: withIsolation(httpsTo('0.0.0.0/0')), answers: true },
    { title: 'egress 443 to the VPC, no endpoint', world: withIsolation(httpsTo('10.0.0.0/16')), answers: false },
    {
      title: 'egress 443 to the VPC, with an endpoint',
      world: withIsolation(httpsTo('10.0.0.0/16'), { VpcEndpoints: [endpoint] }),
      answers: true,
    },
    { title: 'all egress', world: withIsolation([allTraffic]), answers: true },
  ])('after isolation with $title: answers $answers', ({ world, answers }) => {
    const on = bench(world);

    on.swap(5, ids.isolation);

    expect(on.command(10, 'list').answer(100) !== null).toBe(answers);
  });

  it('closes while the command runs: the cut is done, the answer is lost', () => {
    const on = bench(onHost({}));

    const command = on.command(10, 'cut');
    on.swap(11, ids.isolation);

    expect(command.answer(100)).toBeNull();
    expect(on.physics.openFlows(ids.instance)).toEqual([]);
  });

  it('needs the ephemeral ports of the way back', () => {
    const on = bench(onHost({}));

    on.change(5, ({ NetworkAcls }) => {
      NetworkAcls[0]?.Entries.push({
        RuleNumber: 2,
        RuleAction: 'deny',
        Egress: false,
        Protocol: '6',
        CidrBlock: '0.0.0.0/0',
        PortRange: { From: 1024, To: 65_535 },
      });
    });

    expect(on.command(10, 'list').answer(100)).toBeNull();
  });

  it('leads over a second ENI as well', () => {
    const second = {
      ...theWorld.NetworkInterfaces[0],
      NetworkInterfaceId: ids.secondEni,
      PrivateIpAddresses: [{ PrivateIpAddress: '10.0.1.11' }],
    };
    const on = bench({ ...onHost({}), NetworkInterfaces: [...theWorld.NetworkInterfaces, second] });

    on.swap(5, ids.isolation);
    expect(on.command(10, 'list').answer(20)).not.toBeNull();
    on.swap(30, ids.isolation, ids.secondEni);
    expect(on.command(40, 'list').answer(60)).toBeNull();
  });
});

describe('two ENIs', () => {
  it('a swap on one leaves an untracked flow on the other alone', () => {
    const second = {
      ...theWorld.NetworkInterfaces[0],
      NetworkInterfaceId: ids.secondEni,
      Groups: [{ GroupId: ids.open }],
      PrivateIpAddresses: [{ PrivateIpAddress: '10.0.1.11' }],
    };
    const flows = [
      theShell,
      { ...theShell, Name: 'second', NetworkInterfaceId: ids.secondEni, LocalAddress: '10.0.1.11' },
    ];
    const on = bench({ ...theWorld, NetworkInterfaces: [...theWorld.NetworkInterfaces, second], Flows: flows });

    on.swap(7, ids.isolation);
    on.physics.advanceTo(30);
    expect(on.physics.truthNow().map((one) => one.stoppedBy)).toEqual([null, null]);
    on.swap(32, ids.isolation, ids.secondEni);
    on.physics.advanceTo(60);

    expect(on.physics.truthNow().map((one) => one.stoppedBy)).toEqual([null, 'security-group']);
  });
});
