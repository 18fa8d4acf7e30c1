import type { ServiceName } from './sdk.ts';

/** Younger EC2 calls stand in CloudTrail as they were sent, below the name of their request. */
const WHOLE_REQUESTS: ReadonlySet<string> = new Set([
  'CreateFlowLogs',
  'CreateSnapshots',
  'DeleteFlowLogs',
  'ModifyInstanceMetadataOptions',
  'ModifySecurityGroupRules',
]);

/** Lists of EC2 that have another name in CloudTrail, and what each member is called where it is a plain value. */
const EC2_LISTS: Readonly<Record<string, { name: string; member?: string }>> = {
  Groups: { name: 'groupSet', member: 'groupId' },
  InstanceIds: { name: 'instancesSet', member: 'instanceId' },
  Resources: { name: 'resourcesSet', member: 'resourceId' },
  SecurityGroupRuleIds: { name: 'securityGroupRuleIds', member: 'securityGroupRuleId' },
  Tags: { name: 'tagSet' },
  TagSpecifications: { name: 'tagSpecificationSet' },
  UserIdGroupPairs: { name: 'groups' },
};

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date);

const lowerFirst = (name: string): string => `${name.charAt(0).toLowerCase()}${name.slice(1)}`;

/** The parameters of a call as CloudTrail writes them. */
export function trailParameters(service: ServiceName, call: string, input: unknown): unknown {
  if (!isObject(input)) return null;
  if (service !== 'ec2') return lowered(input);
  if (!WHOLE_REQUESTS.has(call)) return ec2Form(input);
  return { [`${call}Request`]: wholeForm(input) };
}

function lowered(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(lowered);
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [lowerFirst(name), lowered(member)]));
}

function ec2Form(value: unknown): unknown {
  if (!isObject(value)) return value;
  const members = Object.entries(value).map(([name, member]) => {
    if (!Array.isArray(member)) return [lowerFirst(name), ec2Form(member)];
    const list = EC2_LISTS[name];
    const items = member.map((one: unknown) =>
      isObject(one) || list?.member === undefined ? ec2Form(one) : { [list.member]: one },
    );
    return [list?.name ?? lowerFirst(name), { items }];
  });
  return Object.fromEntries(members);
}

/** Members of a list are numbered, and one alone stands without a list. */
function wholeForm(value: unknown): unknown {
  if (!isObject(value)) return value;
  const members = Object.entries(value).map(([name, member]) => {
    if (!Array.isArray(member)) return [name, wholeForm(member)];
    const tagged = member.map((one: unknown, index) => {
      const form = wholeForm(one);
      return isObject(form) ? { ...form, tag: index + 1 } : { content: form, tag: index + 1 };
    });
    return [name.replace(/s$/, ''), tagged.length === 1 ? tagged[0] : tagged];
  });
  return Object.fromEntries(members);
}
