import { isCaseId } from '../case/case-id.ts';

/**
 * The console's domain in each partition that has a public one; the isolated ones have none.
 * https://docs.aws.amazon.com/general/latest/gr/mgmt-console.html and https://docs.aws.eu/general/latest/gr/endpoints.html
 */
const DOMAINS: Readonly<Record<string, string>> = {
  aws: 'console.aws.amazon.com',
  'aws-cn': 'console.amazonaws.cn',
  'aws-us-gov': 'console.amazonaws-us-gov.com',
  'aws-eusc': 'console.amazonaws-eusc.eu',
};

/** What Step Functions names an execution; no other text leads to a page. */
const EXECUTION = /^arn:(aws[a-z-]*):states:([a-z0-9-]+):([0-9]{12}):execution:[\w-]{1,80}:[\w-]{1,80}$/;

export interface ConsoleLinks {
  /** Account and Region, for people who watch over many. */
  readonly place: string | null;
  readonly execution: string | null;
  readonly case: string | null;
}

/**
 * Where a person looks at an execution and at its case. `executionArn` says the partition and the Region of both; null
 * where there is no execution, or no public console in its partition.
 */
export function consoleLinks(executionArn: string | null, tableName: string, caseId: string | null): ConsoleLinks {
  if (executionArn === null) return { place: null, execution: null, case: null };
  const [, partition = '', region = '', account = ''] = EXECUTION.exec(executionArn) ?? [];
  if (partition === '') return { place: null, execution: null, case: null };
  const place = `account ${account}, ${region}`;
  const domain = DOMAINS[partition];
  if (domain === undefined) return { place, execution: null, case: null };
  const home = (service: string): string => `https://${region}.${domain}/${service}/home?region=${region}`;
  const item = new URLSearchParams({ itemMode: '2', pk: `CASE#${caseId}`, sk: 'CASE', table: tableName });
  return {
    place,
    execution: `${home('states')}#/v2/executions/details/${executionArn}`,
    case: isCaseId(caseId) ? `${home('dynamodbv2')}#edit-item?${item.toString()}` : null,
  };
}

/** The partition of a Region by its name; null where that has no public console. */
function partitionOf(region: string): string | null {
  if (region.startsWith('cn-')) return 'aws-cn';
  if (region.startsWith('us-gov-')) return 'aws-us-gov';
  return /^(?:us-iso|eu-iso|eusc-)/.test(region) ? null : 'aws';
}

/**
 * Where a person looks at a GuardDuty finding: the address that GuardDuty itself gives to Security Hub (`SourceUrl`).
 * https://docs.aws.amazon.com/guardduty/latest/ug/securityhub-integration.html
 */
export function findingLink(region: string | null, findingId: string): string | null {
  const partition = region === null ? null : partitionOf(region);
  const domain = partition === null ? undefined : DOMAINS[partition];
  if (domain === undefined) return null;
  const id = encodeURIComponent(findingId);
  return `https://${region}.${domain}/guardduty/home?region=${region}#/findings?macros=current&fId=${id}`;
}
