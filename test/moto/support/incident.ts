import { readFileSync } from 'node:fs';
import type { MachineDefinition, StateDefinition } from '../../../local/definitions.ts';
import type { Account } from './account.ts';
import { ACCOUNT } from './clients.ts';

/** The peer of the reverse shell. */
export const PEER = '198.51.100.7';

/** The project's own GuardDuty event, about the web server of the account. */
export function findingFor({ vpcId, publicSubnet, groups, victim }: Account): unknown {
  const names: Readonly<Record<string, string>> = {
    '111122223333': ACCOUNT,
    'i-0000000000000ab01': victim.instanceId,
    'eni-00000000000000e01': victim.networkInterfaceId,
    'subnet-00000000000000b01': publicSubnet.subnetId,
    'vpc-00000000000000a01': vpcId,
    'sg-00000000000000c01': groups.web,
    '10.0.1.10': victim.privateAddress,
  };
  const event = readFileSync(new URL('../../../events/guardduty-ec2-c2activity.json', import.meta.url), 'utf8');
  return JSON.parse(Object.entries(names).reduce((text, [from, to]) => text.replaceAll(from, to), event));
}

/**
 * The definition with every wait cut to a second, for moto lives in real time, and with a time limit that a JavaScript
 * timer can hold: an execution may take a year.
 */
export function withShortWaits(definition: MachineDefinition): MachineDefinition {
  const shortened = ([name, state]: [string, StateDefinition]): [string, StateDefinition] => {
    const { SecondsPath: _computed, ...rest } = state;
    if (state.Type === 'Wait') return [name, { ...rest, Seconds: 1 }];
    return state.Branches === undefined
      ? [name, state]
      : [name, { ...state, Branches: state.Branches.map(withShortWaits) }];
  };
  return {
    ...definition,
    TimeoutSeconds: 600,
    States: Object.fromEntries(Object.entries(definition.States).map(shortened)),
  };
}
