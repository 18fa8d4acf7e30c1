import type { CaseDocument } from '../../functions/core/case/case.ts';
import { canonicalCidr, hostCidr } from '../../functions/core/network/addresses.ts';
import type { Interceptor } from '../../local/world/api/middleware.ts';
import type { NetworkAclEntry, SecurityGroup } from '../../local/world/api/shapes.ts';
import type { WorldFile } from '../../local/world/parse-world.ts';
import { watch } from '../world/honesty/watch.ts';
import type { Account } from './interleave-accounts.ts';
import type { Plan } from './interleave-plan.ts';
import type { Rules, Run, Said } from './interleave-run.ts';
import { accountId, aclIdOf, flowName, instanceId, worldOf } from './interleave-world.ts';

/** Rules that an ACL had from the beginning end here; the default deny is the last. */
const LAST_OURS = 99;
/** Entries of one direction and family that may stand, the default deny not counted. */
const USABLE = 19;

interface LedgerItem {
  readonly aclId: string;
  readonly egress: boolean;
  readonly cidr: string;
  readonly ruleNumber: number;
  readonly cases: readonly string[];
}

const text = (value: unknown): string => String(value);

/** The ledger of an account, read from its case table. */
function ledgerOf({ world }: Account): readonly LedgerItem[] {
  return world
    .dumpTable()
    .filter(({ pk, sk }) => text(pk).startsWith('ACL#') && text(sk).startsWith('DENY#'))
    .map((item) => ({
      aclId: text(item['aclId']),
      egress: item['egress'] === true,
      cidr: text(item['cidr']),
      ruleNumber: Number(item['ruleNumber']),
      cases: item['cases'] instanceof Set ? [...(item['cases'] as Set<string>)] : [],
    }));
}

/** Ledger keys of numbers that are taken: `acl-... in|out number`. */
function numbersOf({ world }: Account): readonly string[] {
  return world
    .dumpTable()
    .filter(({ pk, sk }) => text(pk).startsWith('ACL#') && text(sk).startsWith('NUMBER#'))
    .map(({ pk, sk }) => {
      const [, side, number] = text(sk).split('#');
      return `${text(pk).slice('ACL#'.length)} ${side} ${Number(number)}`;
    });
}

function documentsOf({ world }: Account): readonly CaseDocument[] {
  return world
    .dumpTable()
    .filter(({ sk }) => sk === 'CASE')
    .map((item) => JSON.parse(text(item['document'])) as CaseDocument);
}

const cidrOf = (entry: NetworkAclEntry): string =>
  canonicalCidr(entry.CidrBlock ?? entry.Ipv6CidrBlock ?? '')?.cidr ?? '';
const sideOf = (egress: boolean): string => (egress ? 'out' : 'in');
const lineOf = (aclId: string, egress: boolean, number: number, cidr: string): string =>
  `${aclId} ${sideOf(egress)} ${number} deny ${cidr}`;

/** Entries that were not there in the beginning, as `acl-... in 1 deny 198.51.100.1/32`. */
function deniesOf(file: WorldFile): readonly string[] {
  return file.NetworkAcls.flatMap((acl) =>
    acl.Entries.filter(({ RuleNumber }) => RuleNumber <= LAST_OURS).map((entry) =>
      lineOf(acl.NetworkAclId, entry.Egress, entry.RuleNumber, cidrOf(entry)),
    ),
  );
}

const ledgerLine = (item: LedgerItem): string => lineOf(item.aclId, item.egress, item.ruleNumber, item.cidr);

const isOurs = (group: SecurityGroup): boolean => group.Tags?.some(({ Key }) => Key === 'flowcut:purpose') === true;

/** At most this many of each direction and family, at every moment. */
function overQuota(file: WorldFile): readonly string[] {
  return file.NetworkAcls.flatMap((acl) =>
    [true, false].flatMap((egress) =>
      [true, false].flatMap((isV6) => {
        const entries = acl.Entries.filter(
          (entry) =>
            entry.Egress === egress && (entry.Ipv6CidrBlock !== undefined) === isV6 && entry.RuleNumber < 32_767,
        );
        const count = entries.length;
        return count > USABLE ? [`${acl.NetworkAclId} has ${count} ${sideOf(egress)} entries of one family`] : [];
      }),
    ),
  );
}

/** One isolation group per VPC and account, and no two entries of ours for one network in one direction. */
function doubles(file: WorldFile): readonly string[] {
  const groups = file.SecurityGroups.filter(isOurs).map(
    ({ VpcId, OwnerId }) => `isolation group of ${OwnerId} in ${VpcId}`,
  );
  const denies = deniesOf(file).map((line) => line.replace(/ \d+ deny/, ' deny'));
  const all = [...groups, ...denies];
  return all.filter((one, index) => all.indexOf(one) !== index).map((one) => `there are two: ${one}`);
}

/** A deny is in the ledger before it is in the ACL. */
function unrecorded({ file, accounts }: Run): readonly string[] {
  const recorded = new Set(accounts.flatMap((account) => ledgerOf(account).map(ledgerLine)));
  return deniesOf(file)
    .filter((line) => !recorded.has(line))
    .map((line) => `${line} stands in the ACL and not in the ledger`);
}

/** At rest the ledger and the ACLs say the same, and every deny has a case that needs it. */
function ledgerAgrees(run: Run): readonly string[] {
  const items = run.accounts.flatMap(ledgerOf);
  const standing = new Set(deniesOf(run.file));
  const open = new Set(
    run.accounts.flatMap(documentsOf).flatMap((one) => (one.status === 'restored' ? [] : [one.caseId])),
  );
  const numbers = run.accounts.flatMap(numbersOf).sort();
  const expected = items.map(({ aclId, egress, ruleNumber }) => `${aclId} ${sideOf(egress)} ${ruleNumber}`).sort();
  return [
    ...items
      .filter((item) => !standing.has(ledgerLine(item)))
      .map((item) => `${ledgerLine(item)} is needed by ${item.cases.join(', ') || 'nobody'} and does not stand`),
    ...items
      .filter(({ cases }) => cases.length === 0)
      .map((item) => `${ledgerLine(item)} is needed by nobody and stands in the ledger`),
    ...items.flatMap((item) =>
      item.cases
        .filter((one) => !open.has(one))
        .map((one) => `${ledgerLine(item)} is held for ${one}, which is restored`),
    ),
    ...unrecorded(run),
    ...(numbers.join() === expected.join()
      ? []
      : [`the numbers that are taken (${numbers.join()}) are not those of the denies (${expected.join()})`]),
  ];
}

const claimedCase = (account: Account, instance: number): CaseDocument | null => {
  const documents = documentsOf(account).filter((one) => one.instanceId === instanceId(instance));
  return documents.sort((a, b) => b.generation - a.generation)[0] ?? null;
};

const accountFor = ({ plan, accounts }: Run, instance: number): Account | undefined =>
  accounts[plan.instances[instance]?.account ?? 0];

/** Peers that may take room in an ACL, one family: more than fit means that some are refused. */
function wantedRoom({ plan }: Run, aclId: string, isV6: boolean): number {
  const named = plan.findings
    .filter(({ instance }) => aclIdOf(plan, plan.instances[instance]?.subnet ?? 0) === aclId)
    .map(({ peer }) => plan.peers[peer] ?? '');
  const peers = [...new Set([...named, '203.0.113.77'])];
  return peers.filter((peer) => peer.includes(':') === isV6).length;
}

/** Every finding that was sent is in the case of its instance, and its peer in the ledger or refused for want of room. */
function findingsKept(run: Run): readonly string[] {
  const { plan } = run;
  return run.sent.flatMap(({ instance, peer: index, wave }) => {
    // What a restore has ended is over; whether it ended in time for a finding of the second wave, its case says.
    if (run.restoredAt.has(instance) && wave === 'first') return [];
    const account = accountFor(run, instance);
    const document = account === undefined ? null : claimedCase(account, instance);
    const peer = plan.peers[index] ?? '';
    const who = `${instanceId(instance)} to ${peer}`;
    if (account === undefined || document === null) return [`the finding of ${who} opened no case`];
    if (document.status === 'restored') return putBack(run, document, instance);
    const isKnown = document.request.flows.some((flow) => flow.remoteAddress === peer);
    if (!isKnown) return [`${document.caseId} has lost the peer of the finding of ${who}`];
    return denyKept(run, account, document, instance, peer);
  });
}

/** Groups of the instance's interfaces, in their order. */
const groupsOf = (file: WorldFile, instance: number): readonly string[] =>
  file.NetworkInterfaces.filter((eni) => eni.Attachment?.InstanceId === instanceId(instance)).map(
    (eni) => `${eni.NetworkInterfaceId} ${eni.Groups.map(({ GroupId }) => GroupId).join(' ')}`,
  );

/** A case that says that it is restored is: the next finding would take what it finds for the original state. */
function putBack(run: Run, document: CaseDocument, instance: number): readonly string[] {
  if (!run.restoredAt.has(instance)) return [`${document.caseId} is restored, though nobody restored it`];
  const found = groupsOf(worldOf(run.plan), instance);
  const now = groupsOf(run.file, instance);
  return found.join() === now.join()
    ? []
    : [`${document.caseId} says restored, and holds ${now.join()} where it had ${found.join()}`];
}

/** Not where the release looked and kept them. */
const hasReleased = ({ world }: Account, { caseId }: CaseDocument): boolean =>
  world
    .dumpTable()
    .some(
      ({ pk, step, what }) => pk === `CASE#${caseId}` && step === 'release-nacl' && !String(what).startsWith('kept: '),
    );

function denyKept(
  run: Run,
  account: Account,
  document: CaseDocument,
  instance: number,
  peer: string,
): readonly string[] {
  const { plan } = run;
  const aclId = aclIdOf(plan, plan.instances[instance]?.subnet ?? 0);
  const last = saidOf(run, instance, document).at(-1);
  if (last === undefined) return [`nothing was reported of ${document.caseId}`];
  if (last.report.verdict === 'planned') return [];
  const refused = document.denyRefusals.find(({ address }) => address === peer);
  if (plan.accounts > 1 && account.index > 0) {
    return refused === undefined ? [`${document.caseId} was not told that ${aclId} is another account's`] : [];
  }
  // Release lifts what is proven dead twice.
  if (plan.releaseDenies === 'after-proof' && hasReleased(account, document)) return [];
  const sides = ledgerOf(account).filter(
    (item) => item.aclId === aclId && item.cidr === hostCidr(peer) && item.cases.includes(document.caseId),
  );
  if (sides.length === 2) return [];
  if (refused !== undefined) {
    const isFull = wantedRoom(run, aclId, peer.includes(':')) > USABLE - 1;
    return isFull ? [] : [`${peer} was refused for ${document.caseId}, though there is room: ${refused.reason}`];
  }
  return [`the ledger holds ${sides.length} denies of ${peer} for ${document.caseId}, not two`];
}

/** What was said of a case, oldest first; of one that a restore had ended and a finding took up again, since then. */
function saidOf({ said, restoredAt }: Run, instance: number, { caseId }: CaseDocument): readonly Said[] {
  const since = restoredAt.get(instance) ?? 0;
  return said.filter(({ report, at }) => report.caseId === caseId && at >= since).sort((a, b) => a.at - b.at);
}

/** `contained` and `held` are no claims about the past: no packet of a flow that they call blocked passes from then on. */
function verdictsTrue(run: Run, instances: readonly number[]): readonly string[] {
  return instances.flatMap((instance) => {
    const account = accountFor(run, instance);
    const document = account === undefined ? null : claimedCase(account, instance);
    if (document === null || document.status === 'restored') return [];
    const all = saidOf(run, instance, document);
    const last = all.at(-1);
    return [
      ...all.flatMap((said) => brokenPromises(run, instance, said)),
      ...(last === undefined ? [] : needlessAlarm(run, account, instance, last)),
    ];
  });
}

function brokenPromises(run: Run, instance: number, { report, at }: Said): readonly string[] {
  if (report.verdict !== 'contained' && report.verdict !== 'held') return [];
  const blocked = report.flows.filter(({ evidence }) => evidence === 'in-force' || evidence === 'observed');
  const peers = [...new Set(blocked.map(({ remoteAddress }) => remoteAddress))];
  const names = new Set(run.file.Flows.map(({ Name }) => Name));
  return peers
    .map((peer) => flowName(instance, peer))
    .filter((name) => names.has(name))
    .flatMap((name) => {
      const { lastPacketAt } = run.truthOf(name);
      return lastPacketAt !== null && lastPacketAt > at
        ? [`${report.caseId} was ${report.verdict} at ${at} s, and ${name} had a packet at ${lastPacketAt} s`]
        : [];
    });
}

/** The last word on a case is no alarm where every flow that it names is denied both ways and every interface isolated. */
function needlessAlarm(run: Run, account: Account | undefined, instance: number, { report }: Said): readonly string[] {
  if (report.verdict !== 'leaking' && report.verdict !== 'not-proven') return [];
  const { plan, file } = run;
  if (account !== undefined && account.index > 0) return [];
  const acl = file.NetworkAcls.find((one) => one.NetworkAclId === aclIdOf(plan, plan.instances[instance]?.subnet ?? 0));
  const isDenied = (address: string): boolean =>
    [true, false].every((egress) =>
      acl?.Entries.some(
        (one) => one.RuleNumber <= LAST_OURS && one.Egress === egress && cidrOf(one) === hostCidr(address),
      ),
    );
  const isDead = (address: string): boolean => {
    const name = flowName(instance, address);
    return file.Flows.some(({ Name }) => Name === name) && (run.truthOf(name).lastPacketAt ?? 0) < run.now() - 3600;
  };
  const stopped = report.flows.every(({ remoteAddress }) => isDenied(remoteAddress) && isDead(remoteAddress));
  return report.flows.length > 0 && stopped
    ? [`${report.caseId} ended as ${report.verdict}, though every flow is denied and none lives: ${report.reason}`]
    : [];
}

/** Every interface of a case that is contained or held is on the one isolation group of its VPC and account, and no other. */
function isolatedAsSaid(run: Run): readonly string[] {
  return run.plan.instances.flatMap((_, instance) => {
    const account = accountFor(run, instance);
    const document = account === undefined ? null : claimedCase(account, instance);
    if (document === null || document.status === 'restored') return [];
    const last = saidOf(run, instance, document).at(-1);
    if (last === undefined || !['contained', 'held'].includes(last.report.verdict)) return [];
    const ours = run.file.SecurityGroups.filter(
      (group) => isOurs(group) && group.OwnerId === accountId(account?.index ?? 0),
    );
    const expected = ours.map(({ GroupId }) => GroupId).join();
    return run.file.NetworkInterfaces.filter((eni) => eni.Attachment?.InstanceId === instanceId(instance))
      .filter((eni) => eni.Groups.map(({ GroupId }) => GroupId).join() !== expected)
      .map((eni) => `${last.report.verdict}, but ${eni.NetworkInterfaceId} is not on the isolation group ${expected}`);
  });
}

/** The brake on new isolations: exactly as many as there are places, in an hour in which more are asked for. */
function brakeHolds(run: Run): readonly string[] {
  const { plan } = run;
  return run.accounts.flatMap((account) => {
    const places = account.world.dumpTable().filter(({ pk }) => text(pk).startsWith('CAP#'));
    return places.flatMap(({ pk, cases }) => {
      const taken = (cases as ReadonlySet<string>).size;
      return taken > plan.isolationsPerHour ? [`${text(pk)} has ${taken} places, not ${plan.isolationsPerHour}`] : [];
    });
  });
}

/** What must be as it was found. Snapshots stay, the isolation group stays, and a timeout that was set cannot be unset. */
function foundState({ file }: Run): Readonly<Record<string, string>> {
  const lines: Record<string, string> = {};
  for (const acl of file.NetworkAcls) lines[acl.NetworkAclId] = JSON.stringify(acl.Entries);
  for (const eni of file.NetworkInterfaces) {
    const { Groups, Description, Status } = eni as typeof eni & { Description?: string; Status?: string };
    lines[eni.NetworkInterfaceId] = JSON.stringify([Groups.map(({ GroupId }) => GroupId), Description, Status]);
  }
  for (const group of file.SecurityGroups.filter((one) => !isOurs(one))) {
    lines[group.GroupId] = JSON.stringify([group.IpPermissions, group.IpPermissionsEgress, group.Tags]);
  }
  for (const instance of file.Reservations.flatMap(({ Instances }) => Instances)) {
    const { Tags, State, BlockDeviceMappings } = instance;
    lines[instance.InstanceId] = JSON.stringify([Tags, State, BlockDeviceMappings]);
  }
  return lines;
}

/** The defaults of the family, which a restore writes where nothing was set. */
const DEFAULT_TIMEOUTS = [432_000, 30, 180];

function timeoutsBack({ file }: Run): readonly string[] {
  return file.NetworkInterfaces.flatMap((eni) => {
    const set = eni.ConnectionTrackingConfiguration;
    if (set === undefined) return [];
    const values = [set.TcpEstablishedTimeout, set.UdpTimeout, set.UdpStreamTimeout];
    return values.join() === DEFAULT_TIMEOUTS.join()
      ? []
      : [`${eni.NetworkInterfaceId} has the timeouts ${values.join()} after the restore`];
  });
}

/** Nothing of the ledger and of what a case needs is left when every case is restored. */
function leftovers(run: Run): readonly string[] {
  return run.accounts.flatMap(({ world }) =>
    world
      .dumpTable()
      .filter(({ pk }) => text(pk).startsWith('ACL#') || text(pk).startsWith('GROUP#'))
      .map(({ pk, sk }) => `${text(pk)} ${text(sk)} is left in the case table after every restore`),
  );
}

export interface Counted extends Rules {
  /** Entries that were taken away from a case that had joined them, and put back. */
  gaps(): number;
}

/** All that must hold, whatever the order in which calls take effect and are answered. */
export function createRules(): Counted {
  const breaches = new Set<string>();
  let before: Readonly<Record<string, string>> = {};
  let watching: { readonly breaches: readonly string[] } | null = null;
  let gaps = 0;

  /** Called after each call that changes something. */
  function watchOver(run: Run): Interceptor {
    return {
      before({ call, input }) {
        if (call !== 'DeleteNetworkAclEntry') return;
        const { NetworkAclId, Egress, RuleNumber } = input as {
          NetworkAclId: string;
          Egress: boolean;
          RuleNumber: number;
        };
        const item = run.accounts
          .flatMap(ledgerOf)
          .find((one) => one.aclId === NetworkAclId && one.egress === Egress && one.ruleNumber === RuleNumber);
        const place = `${NetworkAclId} ${sideOf(Egress)} ${RuleNumber} `;
        const stands = deniesOf(run.file).some((line) => line.startsWith(place));
        if (stands && item === undefined) breaches.add(`${place}is deleted and is not in the ledger`);
        if (stands && item !== undefined && item.cases.length > 0) gaps += 1;
      },
      after({ call }) {
        if (!['CreateNetworkAclEntry', 'DeleteNetworkAclEntry', 'CreateSecurityGroup'].includes(call)) return;
        for (const one of [...overQuota(run.file), ...doubles(run.file), ...unrecorded(run)]) breaches.add(one);
      },
    };
  }

  return {
    gaps: () => gaps,
    begin(run) {
      before = foundState(run);
      const honest = watch(run.file, () => run.accounts.flatMap(({ world }) => world.dumpTable()));
      watching = honest;
      const over = watchOver(run);
      for (const { world } of run.accounts) world.interceptors.push(honest, over);
    },
    atRest: (run) => [...ledgerAgrees(run), ...findingsKept(run), ...isolatedAsSaid(run), ...brakeHolds(run)],
    beforeRestore: verdictsTrue,
    afterRestore(run) {
      const after = foundState(run);
      const changed = Object.keys(before).filter((key) => before[key] !== after[key]);
      return [
        ...changed.map((key) => `${key} was ${before[key]} and is ${after[key]} after every restore`),
        ...timeoutsBack(run),
        ...leftovers(run),
      ];
    },
    breaches: () => [...breaches, ...(watching?.breaches ?? [])],
  };
}

/** What a plan is called in a violation: enough to run it again. */
export const nameOf = ({ family, n, seed }: Plan): string => `${family}, n = ${n}, seed ${seed}`;
