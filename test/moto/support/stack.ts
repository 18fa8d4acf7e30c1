import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { NodeMap, Template } from '../../../scripts/template.ts';
import { BUCKET } from '../../../scripts/transformed.ts';
import { REGION } from './clients.ts';

const SCRIPT = fileURLToPath(new URL('stack.py', import.meta.url));

/** What is there after a step, as CloudFormation and each service tell it. */
export interface StackState {
  readonly status: string;
  readonly resources: readonly { readonly id: string; readonly type: string; readonly name: string | null }[];
  readonly outputs: Readonly<Record<string, string>>;
  readonly roles: readonly {
    readonly path: string;
    readonly boundary: string | null;
    readonly documents: readonly NodeMap[];
  }[];
  /** Managed policies. */
  readonly policies: readonly NodeMap[];
  readonly environments: readonly Readonly<Record<string, string>>[];
  readonly machines: readonly string[];
  readonly tables: readonly string[];
  readonly documents: readonly string[];
}

export interface StackSteps {
  readonly created: StackState;
  readonly updated: StackState;
  readonly deleted: StackState;
}

type Values = Readonly<Record<string, string>>;

/** Creates the stack, changes its parameters and deletes it, on moto's CloudFormation in a process of its own. */
export function runStack(python: string, template: Template, create: Values, update: Values): StackSteps {
  const { status, stdout, stderr } = spawnSync(python, [SCRIPT], {
    encoding: 'utf8',
    input: JSON.stringify({ template, bucket: BUCKET, region: REGION, create, update }),
    env: { ...process.env, AWS_DEFAULT_REGION: REGION },
    maxBuffer: 64 * 1024 * 1024,
  });
  if (status !== 0) throw new Error(`moto's CloudFormation failed:\n${stderr.slice(-4000)}`);
  return JSON.parse(stdout) as StackSteps;
}
