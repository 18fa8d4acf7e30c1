import type { Face, Way } from '../core/control.ts';
import { EVIDENCE_CONTROLS } from './evidence-controls.ts';
import { CONTROLS } from './index.ts';
import { interfaceGroups } from './interface-groups.ts';
import { interfaceTimers } from './interface-timers.ts';
import { replacedGroups } from './replaced-groups.ts';
import { subnetSeal } from './subnet-seal.ts';

/** Which controls each function uses, and which way: what its role must allow, and what it need not. */
export const USES: Readonly<Record<string, { readonly faces: readonly Face[]; readonly ways: readonly Way[] }>> = {
  'assess-flows': { faces: CONTROLS, ways: ['find', 'look'] },
  'preserve-evidence': { faces: EVIDENCE_CONTROLS, ways: ['find', 'look', 'take'] },
  'restore-evidence': { faces: CONTROLS, ways: ['look', 'undo'] },
  'swap-security-groups': { faces: [interfaceGroups, interfaceTimers], ways: ['find', 'look', 'take'] },
  'seal-subnet': { faces: [subnetSeal], ways: ['find', 'look', 'take'] },
  'delete-security-groups': { faces: [replacedGroups], ways: ['find', 'look', 'take'] },
  'restore-instance': { faces: [replacedGroups, interfaceGroups, interfaceTimers], ways: ['look', 'undo'] },
};
