import type { GetFindingsCommandInput, ListDetectorsCommandInput } from '@aws-sdk/client-guardduty';
import type { ApiContext, Handlers } from './context.ts';
import { AwsError } from './errors.ts';
import { madeId } from './ids.ts';
import { memorySlot } from './memory.ts';
import { page } from './paging.ts';

type Detail = Record<string, unknown>;

/** Details of the events that were played, which GuardDuty knows where the file does not say what it knows. */
export const playedFindings = memorySlot((): Detail[] => []);

const knownFindings = ({ state, memory }: ApiContext): readonly Detail[] => state.Findings ?? memory.of(playedFindings);

const isObject = (value: unknown): value is Detail =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date);

const serviceOf = (detail: Detail): Detail => (isObject(detail['service']) ? detail['service'] : {});

/** One detector per account and Region: that of the findings, or one that is the same in every run. */
function detectorIds(context: ApiContext): string[] {
  const { state } = context;
  const named = knownFindings(context).flatMap((detail) => {
    const id = serviceOf(detail)['detectorId'];
    return typeof id === 'string' ? [id] : [];
  });
  const made = `${madeId('d', 'detector', state.AccountId).slice(2)}${madeId('d', state.Region).slice(2)}`.slice(0, 32);
  return named.length > 0 ? [...new Set(named)] : [made];
}

function listDetectors(context: ApiContext, input: ListDetectorsCommandInput): object {
  const { items, nextToken } = page(detectorIds(context), input.MaxResults ?? 50, input.NextToken, () =>
    refused('The request is rejected because the input nextToken is invalid.'),
  );
  return { DetectorIds: items, NextToken: nextToken };
}

const MOST_FINDINGS = 50;

/** https://docs.aws.amazon.com/guardduty/latest/APIReference/API_GetFindings.html: of unknown ids it says nothing. */
function getFindings(context: ApiContext, input: GetFindingsCommandInput): object {
  const ids = input.FindingIds ?? [];
  if (ids.length === 0 || ids.length > MOST_FINDINGS) {
    throw refused('The request is rejected because the parameter findingIds has an invalid size.');
  }
  if (!detectorIds(context).includes(input.DetectorId ?? '')) {
    throw refused('The request is rejected because the input detectorId is not owned by the current account.');
  }
  const known = knownFindings(context).filter((detail) => ids.includes(String(detail['id'])));
  // Later occurrences of a finding are the finding as it is now.
  const latest = new Map(known.map((detail) => [detail['id'], detail]));
  return { Findings: [...latest.values()].map(asFinding) };
}

/** Events spell in camel case what the API spells in Pascal case; additional information is one text there. */
function asFinding(detail: Detail): object {
  const service = serviceOf(detail);
  const { additionalInfo, ...rest } = service;
  const finding = pascal({ ...detail, service: rest }) as { Service?: object };
  if (additionalInfo !== undefined) finding.Service = { ...finding.Service, AdditionalInfo: infoOf(additionalInfo) };
  return finding;
}

function infoOf(info: unknown): { Value: string; Type: string } {
  if (isObject(info) && typeof info['value'] === 'string') {
    return { Value: info['value'], Type: String(info['type'] ?? 'default') };
  }
  return { Value: JSON.stringify(info), Type: 'default' };
}

function pascal(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(pascal);
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [`${name.charAt(0).toUpperCase()}${name.slice(1)}`, pascal(member)]),
  );
}

const refused = (why: string): AwsError => new AwsError('BadRequestException', why);

export const guardDutyHandlers: Handlers = { ListDetectors: listDetectors, GetFindings: getFindings };
