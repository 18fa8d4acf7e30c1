/**
 * Writes the SSM command documents from the scripts beside them. `--check` writes nothing and fails where one is out of date.
 */
import { readFileSync, writeFileSync } from 'node:fs';

interface Parameter {
  readonly description: string;
  readonly allowedPattern: string;
  readonly default?: string;
}

const ADDRESSES = '[0-9a-fA-F.:]{2,45}';
const NUMBERS = '^(none|[0-9]{1,10}(,[0-9]{1,10}){0,63})$';

const common: Record<string, Parameter> = {
  CaseId: {
    description: 'The case. Names what is added to the host firewall, so that undo removes exactly that.',
    allowedPattern: '^[a-z0-9-]{1,64}$',
  },
  RemoteAddresses: {
    description: 'Addresses to deny in the host firewall, comma-separated, or none.',
    allowedPattern: `^(none|${ADDRESSES}(,${ADDRESSES}){0,63})$`,
    default: 'none',
  },
  Pids: {
    description:
      'Processes that the finding names, comma-separated, or none: their flows and those of their descendants are marked. For undo: processes to let go on.',
    allowedPattern: NUMBERS,
    default: 'none',
  },
};

const documents = [
  {
    name: 'flowcut-host-linux',
    script: 'flowcut-host-linux.sh',
    platform: 'Linux',
    action: 'aws:runShellScript',
    description: 'Lists, closes and denies the network flows of this host, and says what is left.',
    parameters: {
      Verb: {
        description:
          "list: read only. cut: close every flow but the agent's and loopback. verify: list again. undo: remove what the case added. close-agent: answer, then close the agent's own connections.",
        allowedPattern: '^(list|cut|verify|undo|close-agent)$',
        default: 'list',
      },
      ...common,
      Ports: {
        description: 'Local or remote ports whose flows are marked, comma-separated, or none.',
        allowedPattern: NUMBERS,
        default: 'none',
      },
      Mode: {
        description: 'peers: deny the addresses. quarantine: deny everything but the agent (nftables only).',
        allowedPattern: '^(peers|quarantine)$',
        default: 'peers',
      },
      Survivors: {
        description:
          'What to do with the owner of a socket that cannot be closed: leave it, stop it (SIGSTOP), or kill it.',
        allowedPattern: '^(leave|stop|kill)$',
        default: 'stop',
      },
      AgentSessions: {
        description: "keep: Session Manager sessions are the agent's own. close: they are flows like any other.",
        allowedPattern: '^(keep|close)$',
        default: 'keep',
      },
      Sessions: {
        description:
          'keep, or stop: cut also ends the remote sessions (SSH, RDP, Session Manager) and every process below them.',
        allowedPattern: '^(keep|stop)$',
        default: 'keep',
      },
      Evidence: {
        description:
          'How many processes behind the flows cut describes (command line, open files, SHA-256 of the executable), or none.',
        allowedPattern: '^(none|[1-9]|[1-4][0-9]|50)$',
        default: '20',
      },
    },
    // Agents before 3.3.2746.0 know no ENV_VAR: they write the value in here, and the patterns leave nothing to break out with.
    fallback: (name: string) => `if [ -z "\${SSM_${name}+x}" ]; then SSM_${name}="{{${name}}}"; fi`,
  },
  {
    name: 'flowcut-host-windows',
    script: 'flowcut-host-windows.ps1',
    platform: 'Windows',
    action: 'aws:runPowerShellScript',
    description:
      'Lists and denies the network flows of this host, stops their owners where told to, and says what is left.',
    parameters: {
      Verb: {
        description:
          'list: read only. cut: deny the addresses, and stop the owners of flows to them where told to. undo: remove what the case added. close-agent: answer, then restart the service of the agent.',
        allowedPattern: '^(list|cut|undo|close-agent)$',
        default: 'list',
      },
      ...common,
      Survivors: {
        description: 'What to do with the process that holds a flow to a denied address: leave it, or kill it.',
        allowedPattern: '^(leave|kill)$',
        default: 'leave',
      },
      Sessions: {
        description: 'keep, or stop: cut also logs the connected RDP sessions off.',
        allowedPattern: '^(keep|stop)$',
        default: 'keep',
      },
    },
    fallback: (name: string) => `if ($null -eq $env:SSM_${name}) { $env:SSM_${name} = '{{${name}}}' }`,
  },
] as const;

/** The most that an SSM document may hold, in bytes; comments are left out for it. */
const DOCUMENT_LIMIT = 65_536;

function build({
  name,
  script,
  platform,
  action,
  description,
  parameters,
  fallback,
}: (typeof documents)[number]): string {
  const text = readFileSync(new URL(`../documents/${script}`, import.meta.url), 'utf8');
  // The agent would take it for a parameter.
  if (text.includes('{{')) throw new Error(`${script} contains two opening braces in a row`);
  const code = text
    .split('\n')
    .filter((line) => !/^\s*#/.test(line))
    .join('\n');
  const document = {
    schemaVersion: '2.2',
    description,
    parameters: {
      ...Object.fromEntries(
        Object.entries(parameters).map(([key, parameter]) => [
          key,
          { type: 'String', interpolationType: 'ENV_VAR', ...parameter },
        ]),
      ),
      executionTimeout: {
        type: 'String',
        description: 'Seconds until the agent ends the script.',
        allowedPattern: '^[1-9][0-9]{0,3}$',
        default: '120',
      },
    },
    mainSteps: [
      {
        name: 'flowcut',
        action,
        precondition: { StringEquals: ['platformType', platform] },
        inputs: {
          timeoutSeconds: '{{executionTimeout}}',
          // One string for each paragraph: a string a line would take a sixth of the room.
          runCommand: [
            `# The comments are in documents/${script}, from which this was built.`,
            ...Object.keys(parameters).map(fallback),
            ...code.trim().split(/\n{2,}/),
          ],
        },
      },
    ],
  };
  // The one short list, as the formatter wants it.
  const content = `${JSON.stringify(document, null, 2).replace(/\[\s+("platformType"),\s+("\w+")\s+\]/, '[$1, $2]')}\n`;
  if (Buffer.byteLength(content) > DOCUMENT_LIMIT) throw new Error(`${name} is larger than a document may be`);
  return content;
}

const check = process.argv.includes('--check');
for (const document of documents) {
  const file = new URL(`../documents/${document.name}.json`, import.meta.url);
  const content = build(document);
  if (!check) writeFileSync(file, content);
  else if (readFileSync(file, 'utf8') !== content) {
    process.stderr.write(`documents/${document.name}.json is out of date: run node scripts/build-documents.ts\n`);
    process.exitCode = 1;
  }
}
