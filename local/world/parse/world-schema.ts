import * as z from 'zod/mini';
import { assumptions, fault, flow, host } from './incident.ts';
import { awsLists } from './shapes.ts';

const isoTime = z
  .string()
  .check(z.refine((value: string) => !Number.isNaN(Date.parse(value)), { error: 'is not a time in ISO 8601' }));

export const worldFile = z.looseObject({
  AccountId: z._default(
    z.string().check(z.regex(/^\d{12}$/, { error: 'is not a 12-digit account id' })),
    '111122223333',
  ),
  Region: z._default(
    z.string().check(z.regex(/^[a-z]{2,4}(-[a-z]+)+-\d{1,2}$/, { error: 'is not the name of a Region' })),
    'eu-central-1',
  ),
  Now: z._default(isoTime, '2026-01-15T10:00:00Z'),
  ...awsLists,
  Hosts: z._default(z.array(host), []),
  Flows: z._default(z.array(flow), []),
  Assumptions: z.prefault(assumptions, {}),
  Faults: z._default(z.array(fault), []),
  Findings: z.optional(z.array(z.looseObject({}))),
  FunctionStartSeconds: z._default(z.number().check(z.minimum(0), z.maximum(900)), 0),
  NaclEntryQuota: z._default(z.int().check(z.minimum(1)), 20),
  LatencySeconds: z._default(z.number().check(z.minimum(0), z.maximum(3600)), 0.2),
});

/** A file whose fields are each right by themselves. */
export type ParsedWorld = z.infer<typeof worldFile>;
