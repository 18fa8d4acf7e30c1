import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, describe, expect, it } from 'vitest';
import { InputError } from '../../functions/core/errors.ts';
import { readDefinition } from '../../local/definitions.ts';
import { faultText } from '../../local/input.ts';
import { storeFile } from '../../local/live/case-store.ts';
import { readCheckpoint, resumed } from '../../local/live/execution.ts';
import { respond, restore, resume, type Setting } from '../../local/live/respond.ts';
import { tellReport, tellRestore } from '../../local/live/tell-report.ts';
import { failure } from '../../local/runner.ts';
import { createEmbeddedWorld } from '../../local/world/embedded-world.ts';
import { createPhysics } from '../../local/world/physics.ts';
import type { WorldClock } from '../../local/world/state.ts';
import {
  type Bench,
  defaultWorld,
  ids,
  onBench,
  readEvent,
  refusedBy,
  shellWatched,
  twoInterfaces,
} from '../support/bench.ts';
import { simulate } from '../support/own-flow-log.ts';
import { clientsOf } from './worlds.ts';

const event = readEvent('guardduty-ec2-c2activity');
const ACCOUNT = '111122223333';
const REGION = 'eu-central-1';

const folders: string[] = [];
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true });
});

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'flowcut-respond-'));
  folders.push(folder);
  return folder;
}

interface Machine {
  readonly setting: Setting;
  readonly said: string[];
  readonly caseIds: Set<string>;
}

/** A machine of a responder, with a clock that is the world's and a store of its own. */
function machine({ world, tools }: Bench, folder = newFolder()): Machine {
  const said: string[] = [];
  const caseIds = new Set<string>();
  const setting: Setting = {
    clients: clientsOf(world),
    folder,
    accountId: null,
    now: tools.now,
    sleep: tools.sleep,
    say: (line) => said.push(line),
    onCase: (caseId) => caseIds.add(caseId),
  };
  return { setting, said, caseIds };
}

const stored = ({ setting }: Machine): string => readFileSync(storeFile(setting.folder, ACCOUNT, REGION), 'utf8');

/** The key of the item that undoes a change; null = the call changes nothing that is looked at here. */
function recordOf(call: string, input: unknown): string | null {
  const given = input as { NetworkInterfaceId?: string; Egress?: boolean; CidrBlock?: string; Groups?: unknown };
  if (call === 'CreateNetworkAclEntry') return `DENY#${given.Egress === true ? 'out' : 'in'}#${given.CidrBlock}`;
  if (call === 'ModifyNetworkInterfaceAttribute' && given.Groups !== undefined) {
    return `BEFORE#${given.NetworkInterfaceId}`;
  }
  return null;
}

/** Runs until a line is said; the run itself goes on. */
function untilSaid(on: Machine, text: string): Promise<void> {
  return new Promise((resolve) => {
    const look = () => (on.said.some((line) => line.startsWith(text)) ? resolve() : void setTimeout(look, 50));
    look();
  });
}

describe('a response without a deployment', () => {
  it('comes to the verdict of the demo', async () => {
    const [report] = await onBench(defaultWorld(), (bench) => respond(machine(bench).setting, event, 'contain'));
    const { report: demo } = await simulate(defaultWorld(), event);

    expect(report).toMatchObject({
      verdict: 'held',
      basis: demo.basis,
      held: demo.held,
      instanceId: ids.instance,
    });
    const undated = (reason = '') => reason.replace(/ since \S+$/, '');
    expect(undated(report?.reason)).toBe(undated(demo.reason));
  });

  it('observes unless it is told to contain', async () => {
    const { reports, changed } = await onBench(defaultWorld(), async (bench) => {
      const before = bench.state();
      const reports = await respond(machine(bench).setting, event, undefined);
      return { reports, changed: bench.state() !== before };
    });

    expect(reports).toMatchObject([{ verdict: 'planned' }]);
    expect(changed).toBe(false);
  });

  it('sends the document that it is told to', async () => {
    const sent = await onBench(defaultWorld(), async (bench) => {
      const { setting } = machine(bench);
      await respond({ ...setting, hostDocuments: { linux: 'stack-LinuxDocument-1' } }, event, 'contain');
      return bench.inputsOf('SendCommand');
    });

    // The cut, and behind the isolation what closes the agent's own connection.
    expect(sent).toMatchObject([
      { DocumentName: 'stack-LinuxDocument-1', Parameters: { Verb: ['cut'] } },
      { DocumentName: 'stack-LinuxDocument-1', Parameters: { Verb: ['close-agent'] } },
    ]);
  });

  it('takes a manual request', async () => {
    const request = { instanceId: ids.instance, remoteAddresses: [ids.peer] };
    const reports = await onBench(defaultWorld(), (bench) => respond(machine(bench).setting, request, 'contain'));

    expect(reports).toMatchObject([{ verdict: 'held' }]);
  });

  it('has on the disk what undoes a change before the change is made', async () => {
    const changes: { readonly item: string; readonly recorded: boolean }[] = [];
    await onBench(defaultWorld(twoInterfaces), async (bench) => {
      const here = machine(bench);
      bench.world.interceptors.push({
        before: ({ call, input }) => {
          const item = recordOf(call, input);
          if (item !== null) changes.push({ item, recorded: stored(here).includes(`"${item}"`) });
        },
      });
      await respond(here.setting, event, 'contain');
    });

    expect(changes.filter(({ recorded }) => !recorded)).toEqual([]);
    expect(changes.map(({ item }) => item)).toEqual(
      expect.arrayContaining([
        `DENY#in#${ids.peer}/32`,
        `DENY#out#${ids.peer}/32`,
        `BEFORE#${ids.eni}`,
        `BEFORE#${ids.secondEni}`,
      ]),
    );
  });

  it('never calls the host cut when the account has no document for it', async () => {
    const [report] = await onBench(defaultWorld(), (bench) => {
      bench.fail(({ call }) => call === 'SendCommand', refusedBy('InvalidDocument'));
      return respond(machine(bench).setting, event, 'contain');
    });

    expect(report?.verdict).toBe('held');
    expect(report?.basis).not.toContain('host');
  });

  it('runs in real time, whatever the limit of the definition is', async () => {
    const file = defaultWorld((world) => Object.assign(world, { LatencySeconds: 0 }));
    const started = Date.now();
    const clock: WorldClock = {
      now: () => (Date.now() - started) / 1000,
      iso: (seconds) => new Date(started + seconds * 1000).toISOString(),
      sleep: (seconds) => sleep(seconds * 1000),
    };
    const world = createEmbeddedWorld(file, clock, createPhysics(file));
    const reports = await respond(
      {
        clients: clientsOf(world),
        folder: newFolder(),
        accountId: null,
        say: () => undefined,
        onCase: () => undefined,
        now: () => new Date(),
        sleep: clock.sleep,
      },
      { instanceId: ids.instance },
      undefined,
    );

    expect(reports).toMatchObject([{ verdict: 'planned' }]);
  });

  it('leaves no checkpoint when it has ended', async () => {
    const left = await onBench(defaultWorld(), async (bench) => {
      const here = machine(bench);
      const [report] = await respond(here.setting, event, 'contain');
      return readCheckpoint(storeFile(here.setting.folder, ACCOUNT, REGION), report?.caseId ?? '');
    });

    expect(left).toBeNull();
  });

  it.each<[string, unknown, string]>([
    ['an input that is none', { hello: 1 }, 'hello'],
    ['an instance that is not there', { instanceId: 'i-0000000000000ffff' }, '--account'],
  ])('refuses %s in one sentence', async (_name, input, field) => {
    const error = await onBench(defaultWorld(), (bench) =>
      respond(machine(bench).setting, input, 'contain').catch((reason: unknown) => reason),
    );

    expect(error).toBeInstanceOf(InputError);
    expect((error as InputError).field).toBe(field);
  });
});

const NEXT_LOOK = 'Wait until the next look';

/** The moment until which a line says that it waits, in ms. */
const untilOf = (line = ''): number => Date.parse(/, until (\S+)$/.exec(line)?.[1] ?? '');

/** A response that was interrupted in a state, and what another machine makes of its store. */
async function interruptedAt(
  state: string,
  bench: Bench,
): Promise<{ first: Machine; second: Machine; caseId: string }> {
  const first = machine(bench);
  const whole = respond(first.setting, event, 'contain');
  whole.catch(() => undefined);
  await untilSaid(first, state);
  const folder = newFolder();
  cpSync(first.setting.folder, folder, { recursive: true });
  const [caseId = 'none'] = first.caseIds;
  return { first, second: machine(bench, folder), caseId };
}

describe('a response that was interrupted', () => {
  it('waits only for what is left and does nothing twice', async () => {
    const { report, said, until } = await onBench(shellWatched(), async (bench) => {
      const { first, second, caseId } = await interruptedAt(NEXT_LOOK, bench);
      const until = untilOf(first.said.at(-1));
      await bench.tools.sleep(100);
      const report = await resume(second.setting, caseId, 'contain');
      return { report, said: second.said, until };
    });

    expect(report.verdict).toBe('contained');
    expect(said[0]).toMatch(/^goes on at "Wait until the next look"/);
    expect(said.some((line) => line.startsWith('Cut'))).toBe(false);
    // The same moment as before the interruption, and not a whole pause later; a wait is in whole seconds.
    expect(said[1]).toMatch(/^Wait until the next look/);
    expect(Math.abs(untilOf(said[1]) - until)).toBeLessThanOrEqual(1000);
    const looks = said.filter((line) => line.startsWith(NEXT_LOOK)).length;
    expect(looks).toBeLessThan(60);
  });

  it.each(['Open and assess', 'Cut', 'Isolate and preserve', 'Verify', 'Report'])(
    'at "%s" ends held',
    async (state) => {
      const report = await onBench(defaultWorld(), async (bench) => {
        const { second, caseId } = await interruptedAt(state, bench);
        return resume(second.setting, caseId, 'contain');
      });

      expect(report.verdict).toBe('held');
    },
  );

  it('can be undone at once', async () => {
    const { before, after, restored } = await onBench(shellWatched(), async (bench) => {
      const before = bench.groupsOf(ids.eni);
      const { second, caseId } = await interruptedAt(NEXT_LOOK, bench);
      const restored = await restore(second.setting, caseId, true);
      return { before, after: bench.groupsOf(ids.eni), restored };
    });

    expect(restored.restore.kind).toBe('restored');
    expect(after).toEqual(before);
  });

  it('refuses to be resumed where the store has no such case, or the credentials are those of another account', async () => {
    const errors = await onBench(defaultWorld(), async (bench) => {
      const here = machine(bench);
      const [report] = await respond(here.setting, event, 'contain');
      const unknown = await resume(here.setting, `case-${'0'.repeat(20)}`, undefined).catch(
        (reason: unknown) => reason,
      );
      bench.file.AccountId = '999999999999';
      for (const reservation of bench.file.Reservations) reservation.OwnerId = '999999999999';
      const foreign = await restore(here.setting, report?.caseId ?? '', true).catch((reason: unknown) => reason);
      return { unknown, foreign };
    });

    expect(errors.unknown).toMatchObject({ name: 'InputError', field: '--case' });
    expect(errors.foreign).toMatchObject({ name: 'InputError', field: '--case' });
    expect(String(errors.foreign)).toContain('see one of account 999999999999');
  });
});

describe('a restore without a deployment', () => {
  it('puts everything back, and changes nothing the second time', async () => {
    const { before, after, again, text } = await onBench(defaultWorld(), async (bench) => {
      const before = { groups: bench.groupsOf(ids.eni), entries: bench.entries() };
      const here = machine(bench);
      const [report] = await respond(here.setting, event, 'contain');
      const caseId = report?.caseId ?? '';
      const restored = await restore(here.setting, caseId, true);
      const after = { groups: bench.groupsOf(ids.eni), entries: bench.entries() };
      const state = bench.state();
      const second = await restore(here.setting, caseId, true);
      return { before, after, again: { second, changed: bench.state() !== state }, text: tellRestore(restored) };
    });

    expect(after).toEqual(before);
    expect(again.changed).toBe(false);
    expect(again.second.restore.kind).toBe('restored');
    expect(text).toContain(`restored: ${ids.eni}`);
  });

  it('that is refused says nothing of steps that it never came to, and how to force it here', async () => {
    const { text, said } = await onBench(
      defaultWorld((world) => world.InstanceInformationList.splice(0)),
      async (bench) => {
        const first = machine(bench);
        const [report] = await respond(first.setting, event, 'contain');
        const second = machine(bench, first.setting.folder);
        const restored = await restore(second.setting, report?.caseId ?? '', false);
        return { text: tellRestore(restored), said: second.said };
      },
    );

    expect(said).toEqual(['Put back what was found', 'Report the restore', 'refused: nothing was changed']);
    expect(text).toMatch(/^refused: the socket of the flow to /);
    expect(text.replaceAll(/\s+/g, ' ')).toContain('give --force to restore all the same');
  });

  it('tells while the agent is away until when it waits, and that the host was not undone', async () => {
    const { text, said } = await onBench(defaultWorld(), async (bench) => {
      const here = machine(bench);
      const [report] = await respond(here.setting, event, 'contain');
      bench.file.InstanceInformationList = [];
      const restored = await restore(here.setting, report?.caseId ?? '', true);
      return { text: tellRestore(restored), said: here.said };
    });

    const waits = said.filter((line) => line.startsWith('Wait for the agent to come back, until 20'));
    expect(waits.length).toBeGreaterThan(5);
    expect(text.split('\n')[0]).toMatch(/: partly-restored, 1 thing could not be put back/);
    expect(text).toContain('failed: host firewall');
  });

  it('that an error of AWS stops has its code, and so is told in one line', async () => {
    const errors = await onBench(defaultWorld(), async (bench) => {
      const here = machine(bench);
      const [report] = await respond(here.setting, event, 'contain');
      bench.fail(({ call }) => call === 'DescribeNetworkAcls', refusedBy('InternalFailure'));
      return restore(here.setting, report?.caseId ?? '', true).catch((reason: unknown) => reason);
    });

    expect(errors).toMatchObject({ name: 'InternalFailure', code: 'InternalFailure' });
  });
});

describe('a plan', () => {
  it('offers no undo, and a restore of it neither changes anything nor closes the case', async () => {
    const { text, restored, changed, report } = await onBench(defaultWorld(), async (bench) => {
      const here = machine(bench);
      const [plan] = await respond(here.setting, event, undefined);
      if (plan === undefined) throw new Error('there is no plan');
      const before = bench.state();
      const { restore: restored } = await restore(here.setting, plan.caseId, false);
      const changed = bench.state() !== before;
      const [report] = await respond(here.setting, event, 'contain');
      return { text: tellReport(plan, undefined), restored, changed, report };
    });

    expect(text).not.toContain('to undo');
    expect(text).toMatch(/\nto contain: npm run -s respond -- --case case-[0-9a-f]{20} --mode contain$/);
    expect({ kind: restored.kind, changed }).toEqual({ kind: 'refused', changed: false });
    expect(report?.verdict).toBe('held');
  });

  it('is acted on by the command that it names', async () => {
    const report = await onBench(defaultWorld(), async (bench) => {
      const here = machine(bench);
      const [plan] = await respond(here.setting, event, undefined);
      return resume(here.setting, plan?.caseId ?? '', 'contain');
    });

    expect(report.verdict).toBe('held');
  });
});

describe('a restore that AWS does not permit', () => {
  it('says of each thing in one line what stood in its way', async () => {
    const text = await onBench(defaultWorld(), async (bench) => {
      const here = machine(bench);
      const [report] = await respond(here.setting, event, 'contain');
      bench.fail(({ call }) => call === 'DescribeNetworkAcls', refusedBy('UnauthorizedOperation'));
      return tellRestore(await restore(here.setting, report?.caseId ?? '', true));
    });

    expect(text).toContain('UnauthorizedOperation');
    expect(text).not.toMatch(/^ +at /m);
  });

  it('is one line where the execution ended with it, and has its stack where the fault is in the program', () => {
    const ended = (errorType: string) =>
      faultText(
        failure({ output: null, error: { name: errorType, cause: JSON.stringify({ errorType, errorMessage: 'no' }) } }),
      );

    expect(ended('UnauthorizedOperation')).toBe('UnauthorizedOperation: no');
    expect(ended('TypeError')).toMatch(/\n +at /);
  });
});

describe('a resumed definition', () => {
  const definition = readDefinition('respond');
  const input = { verdict: { next: { kind: 'wait', seconds: 1000 } } };
  const wait = { state: NEXT_LOOK, input, enteredAt: '2026-01-15T10:00:00.000Z' };

  it.each([
    ['2026-01-15T10:00:00Z', 1000],
    ['2026-01-15T10:10:00Z', 400],
    ['2026-01-16T10:00:00Z', 0],
  ])('at %s waits for %d s', (now, seconds) => {
    const { StartAt, States } = resumed(definition, wait, new Date(now));

    // Later waits of the same name are whole ones.
    expect(States[NEXT_LOOK]).toEqual(definition.States[NEXT_LOOK]);
    expect(States[StartAt]).toEqual({
      Comment: expect.any(String),
      Type: 'Wait',
      Next: 'Verify',
      Seconds: seconds,
    });
  });

  it('refuses a state that is none', () => {
    expect(() => resumed(definition, { ...wait, state: 'Nowhere' }, new Date())).toThrow('is no state');
  });
});

describe('a report for a person', () => {
  it('fits into 100 columns and ends with how to go on and how to undo', async () => {
    const [report] = await onBench(defaultWorld(), (bench) => respond(machine(bench).setting, event, 'contain'));
    if (report === undefined) throw new Error('there is no report');

    const lines = tellReport(report, 'contain').split('\n');

    // A link that is broken does not open.
    expect(lines.filter((line) => line.length > 100 && !line.includes('https://'))).toEqual([]);
    expect(lines.slice(-2)).toEqual([
      `to go on: npm run -s respond -- --case ${report.caseId} --mode contain`,
      `to undo:  npm run -s respond -- --restore --case ${report.caseId}`,
    ]);
  });
});
