import { describe, expect, it } from 'vitest';
import { agentToClose } from '../../../functions/core/case/agent-to-close.ts';
import type { CaseDocument } from '../../../functions/core/case/case.ts';
import { wholeAnswer } from '../../support/incident.ts';

type Asked = Pick<CaseDocument, 'status' | 'host' | 'isolatedAt' | 'agentAskedAt'>;

/** The host has answered, and the swap is in force. */
const theCase: Asked = { status: 'open', host: wholeAnswer, isolatedAt: '2026-01-15T10:00:09.000Z' };

describe('the agent is asked to close its own connection', () => {
  it.each<[string, Asked, readonly string[]]>([
    ['once the host has answered and the swap is in force', theCase, []],
    ['again, where it answered again since it was asked', { ...theCase, agentAskedAt: '2026-01-15T10:00:04.999Z' }, []],
  ])('%s', (_, document, agentEgress) => {
    expect(agentToClose(document, { agentEgress })).toBeNull();
  });

  it.each<[string, RegExp, Asked, readonly string[]]>([
    ['where AgentEgress lets it come back', /AgentEgress/, theCase, ['10.0.9.0/24']],
    ['where the host was not asked', /not answered/, { ...theCase, host: null }, []],
    [
      'where the host gave no evidence',
      /not answered/,
      { ...theCase, host: { kind: 'no-evidence', reason: 'the host printed nothing' } },
      [],
    ],
    [
      'where the host could not be asked',
      /not answered/,
      { ...theCase, host: { kind: 'unavailable', reason: 'no agent' } },
      [],
    ],
    ['before the swap is in force on every interface', /not every interface/, { ...theCase, isolatedAt: null }, []],
    ['while a restore puts the groups back', /restored/, { ...theCase, status: 'restoring' }, []],
    ['after a restore', /restored/, { ...theCase, status: 'restored' }, []],
    ['twice for one answer', /already/, { ...theCase, agentAskedAt: '2026-01-15T10:00:09.500Z' }, []],
  ])('never %s', (_, reason, document, agentEgress) => {
    expect(agentToClose(document, { agentEgress })).toMatch(reason);
  });
});
