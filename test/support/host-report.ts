import type { HostEvidenceLine, HostFlowLine, HostVerdictLine } from '../../functions/core/host/host-protocol.ts';

/** The shell's socket, closed. */
export const theLine: HostFlowLine = {
  v: 1,
  kind: 'flow',
  protocol: 'tcp',
  localAddress: '10.0.1.10',
  localPort: 51_234,
  remoteAddress: '198.51.100.7',
  remotePort: 4444,
  openedBy: 'instance',
  pid: 4242,
  process: 'bash',
  namespace: null,
  after: 'gone',
};

/** The shell itself. */
export const theProcess: HostEvidenceLine = {
  v: 1,
  kind: 'evidence',
  pid: 4242,
  parentPid: 1,
  userId: 0,
  role: 'owner',
  process: 'bash',
  executable: '/usr/bin/bash',
  sha256: 'a'.repeat(64),
  commandLine: 'bash -i --password hunter2',
  directory: '/',
  descriptors: 4,
  openFiles: [],
};

/** One flow listed by two sources, and closed. */
export const theVerdict: HostVerdictLine = {
  v: 1,
  kind: 'verdict',
  verb: 'cut',
  caseId: 'case-1',
  listed: 1,
  omitted: 0,
  closed: 1,
  survived: 0,
  sources: ['ss', 'proc'],
  firewall: 'nftables',
  errors: [],
};
