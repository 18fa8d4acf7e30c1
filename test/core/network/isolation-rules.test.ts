import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { admits, type IsolationOpenings, permits } from '../../../functions/core/network/isolation-rules.ts';

const OPENINGS: IsolationOpenings = { agentEgress: ['10.0.9.0/28'], analystIngress: ['203.0.113.9/32'] };
const toAgent = { protocol: 'tcp', remoteAddress: '10.0.9.3', remotePort: 443 };
type Packet = Parameters<typeof permits>[1];

describe('what the isolation group lets pass', () => {
  it.each<[string, Packet, boolean, boolean]>([
    ['to the endpoint of the agent', toAgent, true, true],
    ['to another port of it', { ...toAgent, remotePort: 4445 }, false, false],
    ['to a port of it that nobody tells', { ...toAgent, remotePort: null }, true, false],
    ['in a protocol that nobody tells', { ...toAgent, protocol: 'unknown' }, true, false],
    ['in another protocol', { ...toAgent, protocol: 'udp' }, false, false],
    ['to another address', { ...toAgent, remoteAddress: '10.0.9.30' }, false, false],
    ['from the analyst', { protocol: 'udp', remoteAddress: '203.0.113.9', remotePort: null }, true, true],
  ])('%s', (_, packet, may, surely) => {
    expect(admits(OPENINGS, packet)).toBe(may);
    expect(permits(OPENINGS, packet)).toBe(surely);
  });

  it('may be anything to a prefix list, whose entries nobody knows here, and is nothing for sure', () => {
    const openings = { agentEgress: ['pl-0123456789abcdef0'], analystIngress: [] };
    expect(admits(openings, toAgent)).toBe(true);
    expect(permits(openings, toAgent)).toBe(false);
  });

  it('surely passes only what may pass', () => {
    const packets = fc.record({
      protocol: fc.constantFrom('tcp', 'udp', 'unknown'),
      remoteAddress: fc.constantFrom('10.0.9.3', '10.0.9.30', '203.0.113.9', '2001:db8::7'),
      remotePort: fc.constantFrom(null, 443, 4445),
    });
    const property = fc.property(packets, (packet) => !permits(OPENINGS, packet) || admits(OPENINGS, packet));
    expect(fc.check(property).failed).toBe(false);
  });
});
