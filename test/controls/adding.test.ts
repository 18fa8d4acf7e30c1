import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { tag } from '../../functions/aws/instance-attributes.ts';
import { getInstance } from '../../functions/aws/instances.ts';
import { interfacesOf } from '../../functions/aws/network-interfaces.ts';
import { planControls } from '../../functions/controls/planned.ts';
import type { AnyControl } from '../../functions/controls/subject.ts';
import { defaultWorld, ids, onBench } from '../support/bench.ts';
import { controlContract } from './contract.ts';
import { listedGround } from './grounds.ts';
import { handsOff } from './hands-off.ts';

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
const CASE = 'case-0123456789abcdef0123';
const control: AnyControl = handsOff;

describe('the control of docs/adding-a-control.md', () => {
  it('is the code of the page, letter for letter', () => {
    const [, code = ''] = /```ts\n([\s\S]*?)\n```/.exec(read('docs/adding-a-control.md')) ?? [];
    expect(code).toBe(read('test/controls/hands-off.ts').trim());
  });

  it('is told by a plan', async () => {
    await onBench(defaultWorld(), async ({ tools }) => {
      const instance = await getInstance(tools.ec2, ids.instance);
      if (instance === null) throw new Error('the instance is not in the world');
      const known = { caseId: CASE, instance, interfaces: await interfacesOf(tools.ec2, ids.instance) };
      expect(await planControls(tools, known, [control])).toEqual([
        expect.objectContaining({ change: `${ids.instance}: the tag hands-off` }),
      ]);
    });
  });

  controlContract((body) =>
    onBench(defaultWorld(), ({ tools }) => {
      const account = { tools, caseId: CASE, instanceId: ids.instance, isolationGroup: '' };
      const strange = () => tag(tools.ec2, ids.instance, { 'hands-off': 'mine' });
      return body(listedGround(control, account, strange));
    }),
  );
});

describe('the page on adding a control', () => {
  it('names only members that the contract has', () => {
    const contract = read('functions/core/control.ts');
    const [, members = ''] =
      /Members that you may need: ([\s\S]*?)\n\[control/.exec(read('docs/adding-a-control.md')) ?? [];
    const named = [...members.matchAll(/`(\w+)`/g)].map(([, name]) => name);
    expect(named.length).toBeGreaterThan(8);
    expect(named.filter((name) => !new RegExp(`\\b${name}\\??[:(]`).test(contract))).toEqual([]);
  });
});
