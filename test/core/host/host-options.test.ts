import { describe, expect, it } from 'vitest';
import { DEFAULT_HOST_OPTIONS, type HostOrder, hostParameters } from '../../../functions/core/host/host-options.ts';

const theOrder: HostOrder = {
  platform: 'linux',
  verb: 'cut',
  caseId: 'case-0123456789abcdef0123',
  addresses: ['198.51.100.7', '2001:db8::7'],
  pids: [4242],
  ports: [4444],
  options: DEFAULT_HOST_OPTIONS,
};

describe('hostParameters', () => {
  it('says everything that the Linux document decides by', () => {
    expect(hostParameters(theOrder)).toEqual({
      Verb: 'cut',
      CaseId: 'case-0123456789abcdef0123',
      RemoteAddresses: '198.51.100.7,2001:db8::7',
      Pids: '4242',
      Ports: '4444',
      Mode: 'peers',
      Survivors: 'stop',
      Sessions: 'keep',
      AgentSessions: 'keep',
    });
  });

  it('says "none" where there is nothing to list: an empty parameter would be refused', () => {
    expect(hostParameters({ ...theOrder, addresses: [], pids: [], ports: [] })).toMatchObject({
      RemoteAddresses: 'none',
      Pids: 'none',
      Ports: 'none',
    });
  });

  it.each([
    ['stop', 'leave'],
    ['leave', 'leave'],
    ['kill', 'kill'],
  ] as const)('makes of Survivors %s on Windows, which cannot stop a process, %s', (survivors, sent) => {
    const options = { ...DEFAULT_HOST_OPTIONS, survivors, sessions: 'stop' } as const;
    expect(hostParameters({ ...theOrder, platform: 'windows', options })).toEqual({
      Verb: 'cut',
      CaseId: 'case-0123456789abcdef0123',
      RemoteAddresses: '198.51.100.7,2001:db8::7',
      Pids: '4242',
      Survivors: sent,
      Sessions: 'stop',
    });
  });

  it.each(['linux', 'windows'] as const)('undoes by name on %s, and lets go on what was stopped', (platform) => {
    expect(hostParameters({ ...theOrder, platform, verb: 'undo', addresses: [], ports: [] })).toEqual({
      Verb: 'undo',
      CaseId: 'case-0123456789abcdef0123',
      RemoteAddresses: 'none',
      Pids: '4242',
    });
  });
});
