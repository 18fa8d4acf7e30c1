import { describe, expect, it } from 'vitest';
import { ids, readEvent } from '../support/bench.ts';
import { inputFolder, runDemo } from '../support/demo.ts';

const file = inputFolder();

const KEYS = [
  'verdict',
  'reason',
  'basis',
  'finding',
  'domains',
  'processes',
  'provenAt',
  'verdicts',
  'flows',
  'skipped',
  'held',
  'leftOpen',
  'lastResort',
  'plan',
  'timeline',
  'calls',
  'messages',
  'world',
];
const FLOW_KEYS = [
  'name',
  'malicious',
  'protocol',
  'remoteAddress',
  'remotePort',
  'localPort',
  'tracking',
  'because',
  'evidence',
  'truth',
];

describe('the demo, as a process', () => {
  it('tells the default incident on one screen', async () => {
    const { status, stdout, stderr } = await runDemo();
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    for (const part of [
      'Backdoor:EC2/C&CActivity.B on i-0000000000000ab01',
      'The textbook answer alone',
      'ALIVE',
      'denied at the subnet, both ways: 198.51.100.7',
      'cut on the host',
      'people hear HELD',
      'VERDICT: CONTAINED',
      'held: acl-00000000000000d01 rule 1',
      'still open: VPC DNS resolver',
      'to undo:',
    ])
      expect(stdout).toContain(part);
    expect(stdout.split('\n').length).toBeLessThanOrEqual(40);
  });

  it('prints one object with the documented keys, the same in two runs', async () => {
    const [once, twice] = await Promise.all([runDemo('--json'), runDemo('--json')]);
    expect(once).toMatchObject({ status: 0, stderr: '' });
    expect(twice.stdout).toBe(once.stdout);
    const result = JSON.parse(once.stdout);
    expect(
      Object.keys(result)
        .filter((key) => !['preserved', 'sealed', 'onHost'].includes(key))
        .sort(),
    ).toEqual([...KEYS].sort());
    for (const flow of result.flows) expect(Object.keys(flow)).toEqual(expect.arrayContaining(FLOW_KEYS));
    expect(result.flows.flatMap(Object.keys).filter((key: string) => !FLOW_KEYS.includes(key))).toEqual([]);
    expect(result.flows[0].truth).toEqual({
      lastPacketAt: expect.any(Number),
      stoppedBy: expect.any(String),
      revivedAt: null,
    });
    expect(result.timeline.every((entry: object) => Object.keys(entry).join() === 'at,state,call,outcome')).toBe(true);
    expect(Object.keys(result.calls)).toEqual(['total', 'byApi', 'beforeFirstCut']);
    expect(Object.keys(result.calls.beforeFirstCut)).toEqual(['sequential', 'ec2', 'seconds', 'functions']);
  });

  it('takes a world, an event, a mode and a restore', async () => {
    const event = file('manual.json', { instanceId: ids.instance, remoteAddresses: [ids.peer], mode: 'observe' });
    const { status, stdout } = await runDemo('--event', event, '--mode', 'contain', '--restore', '--force', '--json');
    const { verdict, restore, held, world } = JSON.parse(stdout);
    expect({ status, verdict }).toEqual({ status: 0, verdict: expect.stringMatching(/^(contained|held|not-proven)$/) });
    expect(held).toHaveLength(2);
    expect(restore).toEqual(expect.arrayContaining([{ item: `${ids.eni} groups`, outcome: 'restored' }]));
    expect(world.NetworkInterfaces[0].Groups).toMatchObject([{ GroupId: ids.web }]);
  });

  it('says how to force a restore here, and in JSON how a state machine is told to', async () => {
    const parameters = ['--parameters', file('parameters.json', { OwnFlowLog: 'off' })];
    const [text, json] = await Promise.all([
      runDemo('--restore', ...parameters),
      runDemo('--restore', '--json', ...parameters),
    ]);

    expect(text.stdout.replaceAll(/\s+/g, ' ')).toContain('give --force to restore all the same');
    expect(text.stdout).not.toContain('"force"');
    expect(JSON.parse(json.stdout).restoreRefused).toContain('give "force": true to restore all the same');
  });

  it('tells any other run to a person too', async () => {
    const event = file('finding.json', readEvent('guardduty-ec2-c2activity'));
    const { status, stdout } = await runDemo('--event', event, '--mode', 'observe');
    expect(status).toBe(0);
    expect(stdout).toMatch(/^i-0000000000000ab01: PLANNED\n/);
    expect(stdout).toContain('What would be done, in this order');
  });

  it('replays calls alone', async () => {
    const calls = file('calls.json', [
      {
        at: 10,
        service: 'ec2',
        api: 'ModifyNetworkInterfaceAttribute',
        input: { NetworkInterfaceId: ids.eni, Groups: ['sg-00000000000000c00'] },
      },
      { at: 20, service: 'host', api: 'closeSockets', input: { InstanceId: ids.instance, RemoteAddress: ids.peer } },
      { at: 30, service: 'ec2', api: 'StopInstances', input: { InstanceIds: ['i-0000000000000ffff'] } },
    ]);
    const { status, stdout, stderr } = await runDemo('--calls', calls, '--json');
    const result = JSON.parse(stdout);
    expect({ status, stderr, verdict: result.verdict }).toEqual({ status: 0, stderr: '', verdict: null });
    expect(result.flows[0].truth).toMatchObject({ stoppedBy: 'host', revivedAt: null });
    expect(result.timeline.at(-1).outcome).toContain('InvalidInstanceID.NotFound');
    expect(Object.keys(result).filter((key) => !KEYS.includes(key))).toEqual([]);
  });

  it('plays an episode with parameters of the stack', async () => {
    const episode = file('episode.json', [
      { at: 0, event: readEvent('guardduty-ec2-c2activity') },
      { at: 60, request: { instanceId: ids.instance, mode: 'contain' } },
      { at: 900, restore: { caseId: '$2', force: true } },
    ]);
    const parameters = file('parameters.json', { Mode: 'observe', IsolationsPerHour: 3 });
    const { status, stdout, stderr } = await runDemo('--episode', episode, '--parameters', parameters, '--json');
    const { steps, ...rest } = JSON.parse(stdout);
    expect({ status, stderr, rest: Object.keys(rest) }).toEqual({
      status: 0,
      stderr: '',
      rest: ['flows', 'messages', 'world'],
    });
    expect(steps.map(({ at, kind }: { at: number; kind: string }) => [at, kind])).toEqual([
      [0, 'event'],
      [60, 'request'],
      [900, 'restore'],
    ]);
    expect(steps[0].result.verdicts[0].verdict).toBe('planned');
    expect(steps[1].result.verdicts.length).toBeGreaterThan(2);
    expect(steps[2].restore).toEqual(expect.arrayContaining([{ item: `${ids.eni} groups`, outcome: 'restored' }]));
  });

  it('leaves the flows of the world out where a finding is none of its business', async () => {
    const { status, stdout } = await runDemo('--event', file('archived.json', readEvent('guardduty-archived')));
    expect(status).toBe(0);
    expect(stdout).toMatch(/^[^\n]*: IGNORED\n/);
    expect(stdout).not.toMatch(/Flows|reverse shell|a customer/);
  });

  it.each(['--help', '-h'])('explains itself: %s', async (option) => {
    const { status, stdout } = await runDemo(option);
    expect(status).toBe(0);
    for (const one of [
      '--world',
      '--event',
      '--episode',
      '--calls',
      '--parameters',
      '--mode',
      '--restore',
      '--force',
      '--json',
    ])
      expect(stdout).toContain(one);
  });
});

describe('the demo, given what it cannot use', () => {
  const nowhere = '/nowhere/at/all.json';

  it.each<[string, () => readonly string[], RegExp]>([
    [
      'a file that is not there',
      () => ['--event', nowhere],
      /^--event: "\/nowhere\/at\/all.json": there is no such file$/,
    ],
    [
      'text that is not JSON',
      () => ['--world', file('broken.json', '{"a":')],
      /^--world: ".*broken.json" is not JSON: line 1, column 6: the text ends; expected a value$/,
    ],
    ['an option that is none', () => ['--frobnicate'], /^arguments: .*--frobnicate/],
    ['an option that is misspelt', () => ['--episod', nowhere], /^arguments: .* did you mean --episode\?$/],
    ['an event beside an episode', () => ['--episode', nowhere, '--event', nowhere], /^--event: does not go with/],
    ['parameters beside calls', () => ['--calls', nowhere, '--parameters', nowhere], /^--parameters: does not go with/],
    ['a step of no kind', () => ['--episode', file('e.json', [{ at: 0 }])], /^episode\[0\]: does nothing/],
    [
      'a parameter that is none',
      () => ['--parameters', file('p.json', { Mod: 1 })],
      /^parameters\.Mod: .*mean Mode\?$/,
    ],
    [
      'parameters that the functions refuse',
      () => ['--parameters', file('q.json', { AnalystIngress: '10.0.0.999' })],
      /^parameters\.AnalystIngress: /,
    ],
    [
      'an event with a range for a peer',
      () => ['--event', file('range.json', { instanceId: ids.instance, remoteAddresses: ['0.0.0.0/0'] }), '--json'],
      /^remoteAddresses\[0\]: /,
    ],
    ['a world that is a list', () => ['--world', file('list.json', []), '--json'], /^world: /],
  ])('ends with 2 and one sentence for %s', async (_, args, sentence) => {
    const { status, stdout, stderr } = await runDemo(...args());
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr.endsWith('\n')).toBe(true);
    expect(stderr.trimEnd()).toMatch(sentence);
    expect(stderr.trimEnd().split('\n')).toHaveLength(1);
  });
});
