import { readFileSync } from 'node:fs';
import { assessExecution } from '../functions/assess-flows/execution.ts';
import { checkHostCut } from '../functions/check-host-cut/step.ts';
import { onHost } from '../functions/cut-on-host/step.ts';
import { deleteSecurityGroups } from '../functions/delete-security-groups/step.ts';
import { denyAtNacl } from '../functions/deny-at-nacl/step.ts';
import { prepareIsolation } from '../functions/prepare-isolation/step.ts';
import { preserveEvidence } from '../functions/preserve-evidence/step.ts';
import { releaseNacl } from '../functions/release-nacl/step.ts';
import { reportExecution } from '../functions/report-case/step.ts';
import { reportRestore } from '../functions/report-restore/step.ts';
import { restoreEvidence } from '../functions/restore-evidence/step.ts';
import { restoreExecution } from '../functions/restore-instance/step.ts';
import { sealSubnet } from '../functions/seal-subnet/step.ts';
import type { Toolbox } from '../functions/shared/toolbox.ts';
import { swapSecurityGroups } from '../functions/swap-security-groups/step.ts';
import { verifyExecution } from '../functions/verify-cut/step.ts';

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** A step as the state machine sees it: JSON in, JSON out. */
export type Step = (tools: Toolbox, input: never) => Promise<unknown>;

/** Which step stands behind which placeholder of the definitions; template.yaml substitutes function ARNs instead. */
export const STEPS = {
  AssessFlowsFunctionArn: { name: 'assess-flows', step: assessExecution },
  DenyAtNaclFunctionArn: { name: 'deny-at-nacl', step: denyAtNacl },
  CutOnHostFunctionArn: { name: 'cut-on-host', step: onHost },
  CheckHostCutFunctionArn: { name: 'check-host-cut', step: checkHostCut },
  PrepareIsolationFunctionArn: { name: 'prepare-isolation', step: prepareIsolation },
  PreserveEvidenceFunctionArn: { name: 'preserve-evidence', step: preserveEvidence },
  SealSubnetFunctionArn: { name: 'seal-subnet', step: sealSubnet },
  SwapSecurityGroupsFunctionArn: { name: 'swap-security-groups', step: swapSecurityGroups },
  VerifyCutFunctionArn: { name: 'verify-cut', step: verifyExecution },
  ReleaseNaclFunctionArn: { name: 'release-nacl', step: releaseNacl },
  DeleteSecurityGroupsFunctionArn: { name: 'delete-security-groups', step: deleteSecurityGroups },
  ReportCaseFunctionArn: { name: 'report-case', step: reportExecution },
  RestoreEvidenceFunctionArn: { name: 'restore-evidence', step: restoreEvidence },
  ReportRestoreFunctionArn: { name: 'report-restore', step: reportRestore },
  RestoreInstanceFunctionArn: { name: 'restore-instance', step: restoreExecution },
} as const satisfies Record<string, { name: string; step: Step }>;

export interface StateDefinition {
  readonly Type: string;
  readonly Comment?: string;
  readonly Resource?: string;
  readonly Branches?: readonly MachineDefinition[];
  readonly [member: string]: unknown;
}

export interface MachineDefinition {
  readonly StartAt: string;
  readonly States: Readonly<Record<string, StateDefinition>>;
  readonly [member: string]: unknown;
}

/** Reads a definition as it is deployed, placeholders and all. */
export function readDefinition(name: 'respond' | 'restore'): MachineDefinition {
  const url = new URL(`../statemachine/${name}.asl.json`, import.meta.url);
  return JSON.parse(readFileSync(url, 'utf8')) as MachineDefinition;
}

/** Every state with its name, those of parallel branches included. */
export function* statesOf(definition: MachineDefinition): Generator<readonly [string, StateDefinition]> {
  for (const [name, state] of Object.entries(definition.States)) {
    yield [name, state];
    for (const branch of state.Branches ?? []) yield* statesOf(branch);
  }
}

/** The placeholder in a task's resource: `${AssessFlowsFunctionArn}` names `AssessFlowsFunctionArn`. */
export function placeholderOf(state: StateDefinition): keyof typeof STEPS {
  const name = /^\$\{(\w+)\}$/.exec(state.Resource ?? '')?.[1];
  if (name === undefined || !(name in STEPS)) throw new Error(`no step stands behind the resource ${state.Resource}`);
  return name as keyof typeof STEPS;
}
