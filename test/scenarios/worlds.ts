import { readFileSync } from 'node:fs';
import type { WorldFile } from '../../local/world/parse-world.ts';
import { defaultWorld, ids, readEvent } from '../support/bench.ts';
import { parseQuietWorld } from '../support/quiet-agents.ts';

export type WorldName = 'alone-in-subnet' | 'auto-scaling-member' | 'spot-instance';

/** A world of local/worlds, changed by hand before it is read. */
export function worldOf(name: WorldName, change: (world: WorldFile) => void = () => undefined): WorldFile {
  const url = new URL(`../../local/worlds/${name}.json`, import.meta.url);
  const world = JSON.parse(readFileSync(url, 'utf8')) as WorldFile;
  change(world);
  return parseQuietWorld(world);
}

/** The default incident without an agent on any instance. */
export const withoutAgent = (change: (world: WorldFile) => void = () => undefined): WorldFile =>
  defaultWorld((world) => {
    world.InstanceInformationList = [];
    change(world);
  });

/** The neighbour has a group of its own, so that nobody but the instance uses the group of the web servers. */
export function neighbourApart(world: WorldFile): void {
  const neighbour = world.NetworkInterfaces[1];
  if (neighbour === undefined) throw new Error('the default world has lost its neighbour');
  neighbour.Groups = [{ GroupId: 'sg-00000000000000c00', GroupName: 'default' }];
}

interface Event {
  detail: {
    updatedAt: string;
    service: { count: number; action: { networkConnectionAction: { remoteIpDetails: { ipAddressV4: string } } } };
  };
}

/** The default finding as GuardDuty updates it: the same id, another peer, a higher count, a later time. */
export function laterFinding(peer: string, count = 2, updatedAt = '2026-01-15T16:00:00.000Z'): unknown {
  const event = structuredClone(readEvent('guardduty-ec2-c2activity')) as Event;
  event.detail.updatedAt = updatedAt;
  event.detail.service.count = count;
  event.detail.service.action.networkConnectionAction.remoteIpDetails.ipAddressV4 = peer;
  return event;
}

/** A finding of its own about the neighbour, with the same peer. */
export function neighbourFinding(): unknown {
  const text = JSON.stringify(readEvent('guardduty-ec2-c2activity'))
    .replaceAll(ids.instance, ids.neighbour)
    .replaceAll(ids.eni, 'eni-00000000000000e02')
    .replaceAll('10.0.1.10', '10.0.1.20');
  const event = JSON.parse(text) as { id: string; detail: { id: string } };
  event.detail.id = event.detail.id.replace(/^./, 'f');
  return event;
}
