import { InputError } from '../../../functions/core/errors.ts';
import { assumptions, fault, flow, host } from './incident.ts';
import { refuseNearMisses } from './near-miss.ts';
import { awsLists } from './shapes.ts';
import { worldFile } from './world-schema.ts';

/** What a later version of the world is to understand. A file that uses it is told so, and not half believed. */
const NOT_YET = [
  'Roles',
  'InstanceProfiles',
  'CredentialUses',
  'HostedZones',
  'FirewallRuleGroups',
  'FirewallRuleGroupAssociations',
  'FirewallRules',
  'FirewallDomainLists',
  'Worlds',
] as const;

/** Members of DescribeFlowLogs that the world only shows. */
const SHOWN_OF_FLOW_LOGS = ['CreationTime', 'DeliverLogsStatus', 'FlowLogStatus', 'DestinationOptions', 'Tags'];

const WORLD_KEYS = [...Object.keys(worldFile.shape), ...NOT_YET, 'ClassicLoadBalancers', 'Snapshots'];

/** The lists whose members are the world's own, and so are known to the last key. */
const OWN_LISTS: Readonly<Record<string, readonly string[]>> = {
  Flows: [...Object.keys(flow.shape), 'Domain'],
  Hosts: Object.keys(host.shape),
  Faults: Object.keys(fault.shape),
  FlowLogs: [...Object.keys(awsLists.FlowLogs.def.innerType.def.element.shape), ...SHOWN_OF_FLOW_LOGS],
};

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isUsed = (value: unknown): boolean => (Array.isArray(value) ? value.length > 0 : value !== undefined);

/** Looks at the names of keys alone, before anything else is made of the file. */
export function checkKeys(json: unknown): void {
  if (!isObject(json)) return;
  refuseNearMisses(json, WORLD_KEYS, '');
  const notYet = NOT_YET.find((key) => isUsed(json[key]));
  if (notYet !== undefined) throw new InputError(notYet, 'is not understood by this version of the world');
  if (isObject(json['Assumptions'])) {
    refuseNearMisses(json['Assumptions'], Object.keys(assumptions.shape), 'Assumptions');
  }
  for (const [name, known] of Object.entries(OWN_LISTS)) {
    const items = json[name];
    if (!Array.isArray(items)) continue;
    for (const [index, item] of items.entries()) {
      if (isObject(item)) refuseNearMisses(item, known, `${name}[${index}]`);
    }
  }
  refuseQueries(json['Flows']);
}

function refuseQueries(flows: unknown): void {
  if (!Array.isArray(flows)) return;
  const index = flows.findIndex((one) => isObject(one) && String(one['Protocol']).toLowerCase() === 'dns');
  if (index >= 0) {
    throw new InputError(`Flows[${index}].Protocol`, '"dns" is not understood by this version of the world');
  }
}
