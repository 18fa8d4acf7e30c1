import { quote } from '../errors.ts';
import type { FindingClass } from './intake-types.ts';

/**
 * Which finding type asks for what. Types, default severities and what they carry: GuardDuty User Guide, "EC2 finding
 * types", "Runtime Monitoring finding types", "Malware Protection", "Attack sequence finding types" (July 2026).
 *
 * Severity never decides: the same type comes with other severities, and PortProbe findings with 9 exist. Neither does
 * `resourceRole`, but for brute force: threat-list findings say TARGET while the instance is the one that calls out.
 */

/** What a type asks for, and why. */
export interface Decision {
  readonly class: FindingClass;
  readonly reason: string;
}

/** Where a field of the finding decides; values that are not listed, and none, fall to `otherwise`. */
export interface DecidedBy {
  /** `instances`: whether a sequence names EC2 instances, `some` or `none`. */
  readonly field: 'resourceRole' | 'connectionDirection' | 'instances';
  readonly values: Readonly<Record<string, Decision>>;
  readonly otherwise: Decision;
}

/**
 * `flow`: remote address, ports, direction; `probe`: remote addresses and local ports; `process`: no peer, no domain; `disk`: what
 * a scan of a disk found; `call`: an API call about the instance, by somebody else.
 */
export type Carries = 'flow' | 'probe' | 'domain' | 'process' | 'disk' | 'call' | 'none';

export interface FindingRoute {
  readonly type: string;
  readonly class: FindingClass | DecidedBy;
  readonly carries: Carries;
  readonly reason: string;
  /** What to do instead, where the advice of the class does not fit. */
  readonly advice?: string;
}

const BRUTE_FORCE: DecidedBy = {
  field: 'resourceRole',
  values: {
    TARGET: { class: 'EXPOSED', reason: 'others guess passwords of the instance; nothing says that anyone came in' },
    ACTOR: { class: 'ISO', reason: 'the instance guesses passwords of others' },
  },
  otherwise: {
    class: 'ASK',
    reason: 'the finding does not say whether the instance guesses passwords or is guessed at',
  },
};
/** The guide says outbound, AWS's own sample says INBOUND. */
const BY_DIRECTION: DecidedBy = {
  field: 'connectionDirection',
  values: {
    INBOUND: { class: 'EXPOSED', reason: 'an address of your own list called; nothing says that it came in' },
    OUTBOUND: { class: 'ISO', reason: 'the instance calls an address of your own list' },
  },
  otherwise: {
    class: 'ASK',
    reason: 'the finding does not say who called: the instance, or an address of your own list',
  },
};

/** A sequence about keys or buckets may name the instances from which they were used. */
const BY_INSTANCES: DecidedBy = {
  field: 'instances',
  values: { some: { class: 'ASK', reason: 'the sequence names EC2 instances beside what it is about' } },
  otherwise: { class: 'NOTIFY', reason: 'the sequence names no EC2 instance' },
};

// biome-ignore format: one row, one line
const EC2_ROUTES = [
  { type: 'Backdoor:EC2/C&CActivity.B', class: 'ISO', carries: 'flow', reason: 'the instance talks to a known command and control server' },
  { type: 'Backdoor:EC2/C&CActivity.B!DNS', class: 'ISO', carries: 'domain', reason: 'the instance asks for a command and control domain' },
  { type: 'Backdoor:EC2/DenialOfService.Dns', class: 'ISO', carries: 'flow', reason: 'the instance attacks others over DNS' },
  { type: 'Backdoor:EC2/DenialOfService.Tcp', class: 'ISO', carries: 'flow', reason: 'the instance attacks others over TCP' },
  { type: 'Backdoor:EC2/DenialOfService.Udp', class: 'ISO', carries: 'flow', reason: 'the instance attacks others over UDP' },
  { type: 'Backdoor:EC2/DenialOfService.UdpOnTcpPorts', class: 'ISO', carries: 'flow', reason: 'the instance attacks others over UDP' },
  { type: 'Backdoor:EC2/DenialOfService.UnusualProtocol', class: 'ISO', carries: 'flow', reason: 'the instance attacks others over an unusual protocol' },
  { type: 'Backdoor:EC2/Spambot', class: 'ISO-ASK', carries: 'flow', reason: 'the instance sends mail to many servers, as real mail servers do too' },
  { type: 'Behavior:EC2/NetworkPortUnusual', class: 'ASK', carries: 'flow', reason: 'an unusual port is no proof of compromise' },
  { type: 'Behavior:EC2/TrafficVolumeUnusual', class: 'ASK', carries: 'flow', reason: 'unusual traffic may be exfiltration or a backup' },
  { type: 'CryptoCurrency:EC2/BitcoinTool.B', class: 'ISO', carries: 'flow', reason: 'the instance talks to a mining pool' },
  { type: 'CryptoCurrency:EC2/BitcoinTool.B!DNS', class: 'ISO', carries: 'domain', reason: 'the instance asks for a mining domain' },
  { type: 'DefenseEvasion:EC2/UnusualDNSResolver', class: 'ASK', carries: 'flow', reason: 'another resolver is in use, which administrators do on purpose too' },
  { type: 'DefenseEvasion:EC2/UnusualDoHActivity', class: 'ASK', carries: 'flow', reason: 'DNS over HTTPS is in use, which browsers do too' },
  { type: 'DefenseEvasion:EC2/UnusualDoTActivity', class: 'ASK', carries: 'flow', reason: 'DNS over TLS is in use, which resolvers do too' },
  { type: 'Impact:EC2/AbusedDomainRequest.Reputation', class: 'ASK', carries: 'domain', reason: 'the domain is abused by some and used by others' },
  { type: 'Impact:EC2/BitcoinDomainRequest.Reputation', class: 'ISO', carries: 'domain', reason: 'the instance asks for a mining domain' },
  { type: 'Impact:EC2/MaliciousDomainRequest.Custom', class: 'ISO-ASK', carries: 'domain', reason: 'the domain is on your own list, so you know what it means' },
  { type: 'Impact:EC2/MaliciousDomainRequest.Reputation', class: 'ISO', carries: 'domain', reason: 'the instance asks for a malicious domain' },
  { type: 'Impact:EC2/PortSweep', class: 'ISO', carries: 'flow', reason: 'the instance sweeps one port over many addresses' },
  { type: 'Impact:EC2/SuspiciousDomainRequest.Reputation', class: 'NOTIFY', carries: 'domain', reason: 'a young or rare domain is only suspicious' },
  { type: 'Impact:EC2/WinRMBruteForce', class: BRUTE_FORCE, carries: 'flow', reason: 'the role says whether the instance guesses WinRM passwords or is the one that is tried' },
  { type: 'Recon:EC2/PortProbeEMRUnprotectedPort', class: 'EXPOSED', carries: 'probe', reason: 'a port is open to probing; nothing says that anyone came in' },
  { type: 'Recon:EC2/PortProbeUnprotectedPort', class: 'EXPOSED', carries: 'probe', reason: 'a port is open to probing; nothing says that anyone came in' },
  { type: 'Recon:EC2/Portscan', class: 'ISO-ASK', carries: 'flow', reason: 'the instance scans ports, as scanners and monitors do on purpose' },
  { type: 'Trojan:EC2/BlackholeTraffic', class: 'ISO', carries: 'flow', reason: 'the instance calls a black hole where a trojan used to report' },
  { type: 'Trojan:EC2/BlackholeTraffic!DNS', class: 'ISO-ASK', carries: 'domain', reason: 'the instance asks for a domain that is a black hole now' },
  { type: 'Trojan:EC2/DGADomainRequest.B', class: 'ISO', carries: 'domain', reason: 'the instance asks for generated domains, as malware does' },
  { type: 'Trojan:EC2/DGADomainRequest.C!DNS', class: 'ISO', carries: 'domain', reason: 'the instance asks for generated domains, as malware does' },
  { type: 'Trojan:EC2/DNSDataExfiltration', class: 'ISO', carries: 'domain', reason: 'the instance sends data out in DNS queries' },
  { type: 'Trojan:EC2/DriveBySourceTraffic!DNS', class: 'ISO-ASK', carries: 'domain', reason: 'the instance asked for a domain of drive-by downloads; whether one was taken is not known' },
  { type: 'Trojan:EC2/DropPoint', class: 'ISO', carries: 'flow', reason: 'the instance talks to a host that holds stolen data' },
  { type: 'Trojan:EC2/DropPoint!DNS', class: 'ISO', carries: 'domain', reason: 'the instance asks for a host that holds stolen data' },
  { type: 'Trojan:EC2/PhishingDomainRequest!DNS', class: 'ISO-ASK', carries: 'domain', reason: 'the instance asked for a phishing domain; it may be the victim or the host of it' },
  { type: 'UnauthorizedAccess:EC2/MaliciousIPCaller.Custom', class: BY_DIRECTION, carries: 'flow', reason: 'the direction says whether an address of your own list called or was called' },
  { type: 'UnauthorizedAccess:EC2/MetadataDNSRebind', class: 'CRED', carries: 'domain', reason: 'a name was rebound to the metadata service: credentials of the instance role are at stake' },
  { type: 'UnauthorizedAccess:EC2/RDPBruteForce', class: BRUTE_FORCE, carries: 'flow', reason: 'the role says whether the instance guesses RDP passwords or is the one that is tried' },
  { type: 'UnauthorizedAccess:EC2/SSHBruteForce', class: BRUTE_FORCE, carries: 'flow', reason: 'the role says whether the instance guesses SSH passwords or is the one that is tried' },
  { type: 'UnauthorizedAccess:EC2/TorClient', class: 'ISO', carries: 'flow', reason: 'the instance connects to Tor guards' },
  { type: 'UnauthorizedAccess:EC2/TorRelay', class: 'ISO', carries: 'flow', reason: 'the instance relays Tor' },
] as const satisfies readonly FindingRoute[];

/** ISO where the type alone says that an attacker's code runs or talks; ISO-ASK or ASK where an administrator may do the same. */
// biome-ignore format: one row, one line
const RUNTIME_ROUTES = [
  { type: 'Backdoor:Runtime/C&CActivity.B', class: 'ISO', carries: 'flow', reason: 'a process talks to a known command and control server' },
  { type: 'Backdoor:Runtime/C&CActivity.B!DNS', class: 'ISO', carries: 'domain', reason: 'a process asks for a command and control domain' },
  { type: 'CryptoCurrency:Runtime/BitcoinTool.B', class: 'ISO', carries: 'flow', reason: 'a process talks to a mining pool' },
  { type: 'CryptoCurrency:Runtime/BitcoinTool.B!DNS', class: 'ISO', carries: 'domain', reason: 'a process asks for a mining domain' },
  { type: 'DefenseEvasion:Runtime/FilelessExecution', class: 'ISO-ASK', carries: 'process', reason: 'code runs from memory alone, as some packers do too' },
  { type: 'DefenseEvasion:Runtime/KernelModuleLoaded', class: 'ISO-ASK', carries: 'process', reason: 'a kernel module was loaded: a rootkit or a driver' },
  { type: 'DefenseEvasion:Runtime/ProcessInjection.Proc', class: 'ISO-ASK', carries: 'process', reason: 'a process writes into another, as malware and profilers do' },
  { type: 'DefenseEvasion:Runtime/ProcessInjection.Ptrace', class: 'ASK', carries: 'process', reason: 'a process traces another, as debuggers do' },
  { type: 'DefenseEvasion:Runtime/ProcessInjection.VirtualMemoryWrite', class: 'ISO-ASK', carries: 'process', reason: 'a process writes into another, as malware and profilers do' },
  { type: 'DefenseEvasion:Runtime/PtraceAntiDebugging', class: 'ASK', carries: 'process', reason: 'a process resists debugging, as licensed software does too' },
  { type: 'DefenseEvasion:Runtime/SensitiveFileModified', class: 'ASK', carries: 'process', reason: 'a sensitive file changed, as in every update' },
  { type: 'DefenseEvasion:Runtime/SuspiciousCommand', class: 'ISO-ASK', carries: 'process', reason: 'a command turns off or hides from defences; administrators run some of them' },
  { type: 'Discovery:Runtime/SuspiciousCommand', class: 'ASK', carries: 'process', reason: 'a command looks around, as administrators do' },
  { type: 'Execution:Runtime/MaliciousFileExecuted', class: 'ISO', carries: 'process', reason: 'a known malicious file runs' },
  { type: 'Execution:Runtime/MaliciousFileExecuted.Custom', class: 'ISO-ASK', carries: 'process', reason: 'a file of your own list runs, so you know what it means' },
  { type: 'Execution:Runtime/NewBinaryExecuted', class: 'ASK', carries: 'process', reason: 'a new program runs, as after every deployment into a running container' },
  { type: 'Execution:Runtime/NewLibraryLoaded', class: 'ASK', carries: 'process', reason: 'a new library is loaded, as after an update' },
  { type: 'Execution:Runtime/ReverseShell', class: 'ISO', carries: 'process', reason: 'a shell is bound to a connection that the instance opened' },
  { type: 'Execution:Runtime/SuspiciousCommand', class: 'ISO-ASK', carries: 'process', reason: 'a command looks like an attack in progress; GuardDuty itself grades it from case to case' },
  { type: 'Execution:Runtime/SuspiciousShellCreated', class: 'ASK', carries: 'process', reason: 'a service started a shell, as some do by design' },
  { type: 'Execution:Runtime/SuspiciousTool', class: 'ISO-ASK', carries: 'process', reason: "an attacker's tool runs, which testers use too" },
  { type: 'Impact:Runtime/AbusedDomainRequest.Reputation', class: 'ASK', carries: 'domain', reason: 'the domain is abused by some and used by others' },
  { type: 'Impact:Runtime/BitcoinDomainRequest.Reputation', class: 'ISO', carries: 'domain', reason: 'a process asks for a mining domain' },
  { type: 'Impact:Runtime/CryptoMinerExecuted', class: 'ISO', carries: 'process', reason: 'a cryptocurrency miner runs' },
  { type: 'Impact:Runtime/MaliciousDomainRequest.Reputation', class: 'ISO-ASK', carries: 'domain', reason: 'the reputation of the domain is bad; GuardDuty grades it Medium here' },
  { type: 'Impact:Runtime/SuspiciousDomainRequest.Reputation', class: 'NOTIFY', carries: 'domain', reason: 'a young or rare domain is only suspicious' },
  { type: 'Persistence:Runtime/SensitiveFileModified', class: 'ASK', carries: 'process', reason: 'a file that starts programs changed, as in every update' },
  { type: 'Persistence:Runtime/SuspiciousCommand', class: 'ISO-ASK', carries: 'process', reason: 'a command sets up persistence; installers do too' },
  { type: 'PrivilegeEscalation:Runtime/SensitiveFileModified', class: 'ASK', carries: 'process', reason: 'a file that grants rights changed, as administrators do' },
  { type: 'PrivilegeEscalation:Runtime/SuspiciousCommand', class: 'ISO-ASK', carries: 'process', reason: 'a command seeks more rights; administrators run some of them' },
  { type: 'Trojan:Runtime/BlackholeTraffic', class: 'ISO', carries: 'flow', reason: 'a process calls a black hole where a trojan used to report' },
  { type: 'Trojan:Runtime/BlackholeTraffic!DNS', class: 'ISO-ASK', carries: 'domain', reason: 'a process asks for a domain that is a black hole now' },
  { type: 'Trojan:Runtime/DGADomainRequest.C!DNS', class: 'ISO', carries: 'domain', reason: 'a process asks for generated domains, as malware does' },
  { type: 'Trojan:Runtime/DriveBySourceTraffic!DNS', class: 'ISO-ASK', carries: 'domain', reason: 'a process asked for a domain of drive-by downloads; whether one was taken is not known' },
  { type: 'Trojan:Runtime/DropPoint', class: 'ISO', carries: 'flow', reason: 'a process talks to a host that holds stolen data' },
  { type: 'Trojan:Runtime/DropPoint!DNS', class: 'ISO', carries: 'domain', reason: 'a process asks for a host that holds stolen data' },
  { type: 'Trojan:Runtime/PhishingDomainRequest!DNS', class: 'ISO-ASK', carries: 'domain', reason: 'a process asked for a phishing domain; it may be the victim or the host of it' },
  { type: 'UnauthorizedAccess:Runtime/MetadataDNSRebind', class: 'CRED', carries: 'domain', reason: 'a name was rebound to the metadata service: credentials of the instance role are at stake' },
  { type: 'UnauthorizedAccess:Runtime/TorClient', class: 'ISO', carries: 'flow', reason: 'a process connects to Tor guards' },
  { type: 'UnauthorizedAccess:Runtime/TorRelay', class: 'ISO', carries: 'flow', reason: 'a process relays Tor' },
] as const satisfies readonly FindingRoute[];

/**
 * Active in GuardDuty's own table of types and retired in the one of its Security Hub page, so they may still come.
 * https://docs.aws.amazon.com/guardduty/latest/ug/securityhub-integration.html
 */
// biome-ignore format: one row, one line
const DISPUTED_ROUTES = [
  { type: 'PrivilegeEscalation:Runtime/CGroupsReleaseAgentModified', class: 'ISO-ASK', carries: 'process', reason: 'a container breaks out to its host, whose other containers would be cut too' },
  { type: 'PrivilegeEscalation:Runtime/ContainerMountsHostDirectory', class: 'ASK', carries: 'process', reason: 'a container mounts its host, as agents do by design' },
  { type: 'PrivilegeEscalation:Runtime/DockerSocketAccessed', class: 'ASK', carries: 'process', reason: 'the container socket is used, as agents do by design' },
  { type: 'PrivilegeEscalation:Runtime/ElevationToRoot', class: 'ISO-ASK', carries: 'process', reason: 'a process became root in an unusual way' },
  { type: 'PrivilegeEscalation:Runtime/RuncContainerEscape', class: 'ISO-ASK', carries: 'process', reason: 'a container breaks out to its host, whose other containers would be cut too' },
  { type: 'PrivilegeEscalation:Runtime/UserfaultfdUsage', class: 'ASK', carries: 'process', reason: 'userfaultfd serves exploits and virtual machines alike' },
] as const satisfies readonly FindingRoute[];

const TAMPERING =
  'If a case of this VPC is open, take it for tampering: a verdict may rest on the flow log that was deleted, so turn that on again and start the case again. Termination protection, which this type also tells of, is turned on by flowcut itself when it preserves an instance.';

/**
 * Custom Detection Rules: what CloudTrail tells of the instance, under names of MITRE ATT&CK. What their findings look like inside
 * is not documented. https://docs.aws.amazon.com/guardduty/latest/ug/findings-custom-detection-rules.html
 */
// biome-ignore format: one row, one line
const CUSTOM_RULE_ROUTES = [
  { type: 'CredentialAccess:EC2/UnsecuredCredentials', class: 'CRED', carries: 'call', reason: 'the password of the instance was read', advice: 'Find out who read the password, and change it on the instance; if somebody logged on with it, contain the instance with a manual request.' },
  { type: 'DefenseImpairment:EC2/DisableOrModifyTools', class: 'NOTIFY', carries: 'call', reason: 'a VPC flow log was deleted, or termination protection turned on', advice: TAMPERING },
  { type: 'Exfiltration:EC2/TransferDataToCloudAccount', class: 'ASK', carries: 'call', reason: 'a snapshot or an image was shared with another account, as some do on purpose' },
  { type: 'LateralMovement:EC2/RemoteServices', class: 'ASK', carries: 'call', reason: 'an SSH key was pushed to the instance, as administrators do' },
  { type: 'Persistence:EC2/BootOrLogonInitializationScripts', class: 'ASK', carries: 'call', reason: 'the user data of the instance changed, as in some updates' },
  { type: 'Persistence:EC2/ExternalRemoteServices', class: 'EXPOSED', carries: 'call', reason: 'SSH was opened to the world; nothing says that anyone came in' },
] as const satisfies readonly FindingRoute[];

const ON_A_DISK = 'malware lies on a disk; whether it ran is not known';
const IN_A_CONTAINER = 'malware lies in a container; the node under it is shared';
const NO_INSTANCE = 'malware lies in a backup or an image: no instance runs it';
const OTHER_CREDENTIALS =
  'Revoke the older sessions of the role that the function or task has, and rotate what it could read; none of that is on an EC2 instance.';

// biome-ignore format: one row, one line
const OTHER_ROUTES = [
  { type: 'Execution:EC2/MaliciousFile', class: 'ISO-ASK', carries: 'disk', reason: ON_A_DISK },
  { type: 'Execution:EC2/SuspiciousFile', class: 'ISO-ASK', carries: 'disk', reason: ON_A_DISK },
  { type: 'Execution:ECS/MaliciousFile', class: 'ASK', carries: 'disk', reason: IN_A_CONTAINER },
  { type: 'Execution:ECS/SuspiciousFile', class: 'ASK', carries: 'disk', reason: IN_A_CONTAINER },
  { type: 'Execution:Container/MaliciousFile', class: 'ASK', carries: 'disk', reason: IN_A_CONTAINER },
  { type: 'Execution:Container/SuspiciousFile', class: 'ASK', carries: 'disk', reason: IN_A_CONTAINER },
  { type: 'Execution:Kubernetes/MaliciousFile', class: 'ASK', carries: 'disk', reason: IN_A_CONTAINER },
  { type: 'Execution:Kubernetes/SuspiciousFile', class: 'ASK', carries: 'disk', reason: IN_A_CONTAINER },
  { type: 'Execution:EC2/MaliciousFile!Snapshot', class: 'NOTIFY', carries: 'none', reason: NO_INSTANCE },
  { type: 'Execution:EC2/MaliciousFile!AMI', class: 'NOTIFY', carries: 'none', reason: NO_INSTANCE },
  { type: 'Execution:EC2/MaliciousFile!RecoveryPoint', class: 'NOTIFY', carries: 'none', reason: NO_INSTANCE },
  { type: 'Execution:S3/MaliciousFile!RecoveryPoint', class: 'NOTIFY', carries: 'none', reason: NO_INSTANCE },
  { type: 'AttackSequence:EC2/CompromisedInstanceGroup', class: 'ISO-ASK', carries: 'flow', reason: 'several instances are compromised together; a person chooses the order' },
  { type: 'AttackSequence:EKS/CompromisedCluster', class: 'ASK', carries: 'flow', reason: 'a cluster is compromised; its nodes are shared' },
  { type: 'AttackSequence:ECS/CompromisedCluster', class: 'ASK', carries: 'flow', reason: 'a cluster is compromised; its nodes are shared' },
  { type: 'AttackSequence:IAM/CompromisedCredentials', class: BY_INSTANCES, carries: 'flow', reason: 'whether it is about an instance is for the sequence to say' },
  { type: 'AttackSequence:S3/CompromisedData', class: BY_INSTANCES, carries: 'flow', reason: 'whether it is about an instance is for the sequence to say' },
  { type: 'UnauthorizedAccess:IAMUser/InstanceCredentialExfiltration.OutsideAWS', class: 'CRED', carries: 'none', reason: 'credentials of the instance role are in use outside AWS; the address is where they are used, not a peer of the instance' },
  { type: 'UnauthorizedAccess:IAMUser/InstanceCredentialExfiltration.InsideAWS', class: 'CRED', carries: 'none', reason: 'credentials of the instance role are in use in another account; the address is where they are used, not a peer of the instance' },
  { type: 'UnauthorizedAccess:IAMUser/ResourceCredentialExfiltration.OutsideAWS', class: 'CRED', carries: 'none', reason: "a resource's credentials are in use outside AWS", advice: OTHER_CREDENTIALS },
  { type: 'UnauthorizedAccess:IAMUser/ResourceCredentialExfiltration.InsideAWS', class: 'CRED', carries: 'none', reason: "a resource's credentials are in use in another account", advice: OTHER_CREDENTIALS },
] as const satisfies readonly FindingRoute[];

/**
 * No longer made by GuardDuty, or under another name, still in rules, fixtures and archives.
 * https://docs.aws.amazon.com/guardduty/latest/ug/guardduty_finding-types-retired.html
 */
// biome-ignore format: one row, one line
const RETIRED_ROUTES = [
  { type: 'Backdoor:EC2/XORDDOS', class: 'ISO', carries: 'flow', reason: 'the instance talks to a host of the XOR DDoS malware' },
  { type: 'CryptoCurrency:EC2/BitcoinTool.A', class: 'ISO', carries: 'flow', reason: 'the instance talks to a mining pool' },
  { type: 'UnauthorizedAccess:EC2/TorIPCaller', class: 'EXPOSED', carries: 'flow', reason: 'a Tor exit called; nothing says that anyone came in' },
  { type: 'UnauthorizedAccess:IAMUser/InstanceCredentialExfiltration', class: 'CRED', carries: 'none', reason: 'credentials of the instance role are in use outside AWS; the type has had another name since 2021' },
  { type: 'Canary:EC2/Stateless.IntegTest', class: 'NOTIFY', carries: 'none', reason: 'it is a test of GuardDuty itself' },
  { type: '99:EC2/Stateless.IntegTest', class: 'NOTIFY', carries: 'none', reason: 'it is a test of GuardDuty itself' },
] as const satisfies readonly FindingRoute[];

/** The routing table, in the groups of docs/findings.md. */
export const ROUTE_GROUPS = [
  { title: 'EC2', routes: EC2_ROUTES },
  { title: 'Runtime Monitoring', routes: RUNTIME_ROUTES },
  { title: 'Runtime Monitoring, active on one page of AWS and retired on another', routes: DISPUTED_ROUTES },
  { title: 'Custom Detection Rules', routes: CUSTOM_RULE_ROUTES },
  { title: 'Malware, attack sequences and credentials', routes: OTHER_ROUTES },
  { title: 'Retired, renamed and test types', routes: RETIRED_ROUTES },
] as const satisfies readonly { readonly title: string; readonly routes: readonly FindingRoute[] }[];

const ROUTES: ReadonlyMap<string, FindingRoute> = new Map(
  ROUTE_GROUPS.flatMap(({ routes }): readonly FindingRoute[] => routes).map((route) => [route.type, route]),
);

/** A type that is not in the table: notify, never isolate on a prefix (`Execution:EC2/MaliciousFile!AMI` has no instance). */
function unknownRoute(type: string): FindingRoute {
  const known = 'is not among the types that flowcut acts on, so it never contains on it';
  return { type, class: 'NOTIFY', carries: 'none', reason: `${quote(type, 100)} ${known}` };
}

export function routeOf(type: string): FindingRoute {
  return ROUTES.get(type) ?? unknownRoute(type);
}

export function decide(route: FindingRoute, fields: Readonly<Partial<Record<DecidedBy['field'], unknown>>>): Decision {
  if (typeof route.class === 'string') return { class: route.class, reason: route.reason };
  const { field, values, otherwise } = route.class;
  const value = fields[field];
  return (typeof value === 'string' && Object.hasOwn(values, value) ? values[value] : undefined) ?? otherwise;
}

/** What to do about a finding on which flowcut does not act. */
export const ADVICE = {
  EXPOSED:
    'Close the port in the security group, or deny the probing addresses; if the host was entered after all, send a manual request.',
  CRED: 'Revoke the older sessions of the role, require IMDSv2 and rotate what the role could read; if the instance is compromised, contain it with a manual request.',
  NOTIFY: 'Look into it; if an instance is compromised, contain it with a manual request.',
  SAMPLE:
    'Nothing happened: GuardDuty made this finding on request. To rehearse, send a manual request in observe mode.',
  ARCHIVED: 'Someone archived the finding; if it was closed too early, contain the instance with a manual request.',
} as const satisfies Partial<Record<FindingClass | 'SAMPLE' | 'ARCHIVED', string>>;

/** What the codes of the table mean, for docs/findings.md. */
export const CLASS_MEANINGS = {
  ISO: 'Contain at once (the configured mode decides how far).',
  'ISO-ASK': 'Containment is the right answer, but a person approves it first.',
  ASK: 'A person looks at it and decides.',
  EXPOSED: 'No sign of compromise: the instance is exposed. flowcut does not isolate it.',
  CRED: 'Credentials are at stake; cutting flows does not get them back.',
  NOTIFY: 'Not a case for flowcut.',
} as const satisfies Record<FindingClass, string>;
