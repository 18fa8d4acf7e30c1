import type { Config } from '../core/config.ts';
import { InputError, quote } from '../core/errors.ts';
import { HOST_OPTIONS } from '../core/host/host-options.ts';
import { type IsolationOpenings, isolationRules } from '../core/network/isolation-rules.ts';

type Environment = Readonly<Record<string, string | undefined>>;

function text(environment: Environment, name: string, fallback?: string): string {
  const value = environment[name] || fallback;
  if (value === undefined) throw new InputError(name, 'is not set in the environment of this function');
  return value;
}

function wholeNumber(environment: Environment, name: string, fallback: number, least: number, most: number): number {
  const value = Number(text(environment, name, String(fallback)));
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  throw new InputError(name, `${quote(environment[name])} is not a whole number from ${least} to ${most}`);
}

function oneOf<const T extends string>(environment: Environment, name: string, allowed: readonly T[], fallback: T): T {
  const value = text(environment, name, fallback);
  const found = allowed.find((candidate) => candidate === value);
  if (found === undefined) throw new InputError(name, `${quote(value)} is none of ${allowed.join(', ')}`);
  return found;
}

/** Both ends in either order: no rule of a template can compare numbers, and a function that cannot start contains nothing. */
function ruleNumbers(environment: Environment): Config['aclRuleNumbers'] {
  const ends = [
    wholeNumber(environment, 'FLOWCUT_ACL_FIRST_RULE', 1, 1, 32_766),
    wholeNumber(environment, 'FLOWCUT_ACL_LAST_RULE', 32_766, 1, 32_766),
  ];
  return { first: Math.min(...ends), last: Math.max(...ends) };
}

function list(environment: Environment, name: string): readonly string[] {
  return (environment[name] ?? '')
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
}

/** Fails at the start of the function, not in the middle of a response. */
function checkedOpenings(openings: IsolationOpenings): IsolationOpenings {
  isolationRules(openings);
  return openings;
}

/** Reads the configuration from the environment of the function, which template.yaml fills from its parameters. */
export function readConfig(environment: Environment): Config {
  return {
    accountId: text(environment, 'FLOWCUT_ACCOUNT_ID'),
    region: text(environment, 'AWS_REGION'),
    defaultMode: oneOf(environment, 'FLOWCUT_MODE', ['observe', 'contain'], 'observe'),
    exemptTag: text(environment, 'FLOWCUT_EXEMPT_TAG', 'flowcut:exempt'),
    aclRuleNumbers: ruleNumbers(environment),
    aclEntriesPerDirection: wholeNumber(environment, 'FLOWCUT_ACL_ENTRY_QUOTA', 20, 1, 40),
    hostCutBudgetSeconds: wholeNumber(environment, 'FLOWCUT_HOST_CUT_BUDGET_SECONDS', 45, 5, 180),
    hostOptions: {
      mode: oneOf(environment, 'FLOWCUT_HOST_MODE', HOST_OPTIONS.mode, HOST_OPTIONS.mode[0]),
      survivors: oneOf(environment, 'FLOWCUT_HOST_SURVIVORS', HOST_OPTIONS.survivors, HOST_OPTIONS.survivors[0]),
      sessions: oneOf(environment, 'FLOWCUT_HOST_SESSIONS', HOST_OPTIONS.sessions, HOST_OPTIONS.sessions[0]),
      agentSessions: oneOf(
        environment,
        'FLOWCUT_HOST_AGENT_SESSIONS',
        HOST_OPTIONS.agentSessions,
        HOST_OPTIONS.agentSessions[0],
      ),
    },
    hostDocuments: {
      linux: text(environment, 'FLOWCUT_LINUX_DOCUMENT'),
      windows: text(environment, 'FLOWCUT_WINDOWS_DOCUMENT'),
    },
    respondStateMachineArn: environment.FLOWCUT_RESPOND_STATE_MACHINE_ARN ?? '',
    topicArn: environment.FLOWCUT_TOPIC_ARN || null,
    openings: checkedOpenings({
      agentEgress: list(environment, 'FLOWCUT_AGENT_EGRESS'),
      analystIngress: list(environment, 'FLOWCUT_ANALYST_INGRESS'),
    }),
    isolationsPerHour: wholeNumber(environment, 'FLOWCUT_ISOLATIONS_PER_HOUR', 10, 0, 10_000),
    deleteReplacedGroups: oneOf(environment, 'FLOWCUT_DELETE_REPLACED_GROUPS', ['true', 'false'], 'false') === 'true',
    autoScaling: oneOf(environment, 'FLOWCUT_AUTO_SCALING', ['standby', 'detach'], 'standby'),
    releaseDenies: oneOf(environment, 'FLOWCUT_RELEASE_DENIES', ['never', 'after-proof'], 'never'),
  };
}
