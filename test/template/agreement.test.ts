import { existsSync, readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { type FindingRoute, ROUTE_GROUPS } from '../../functions/core/intake/finding-routes.ts';
import { consoleLinks } from '../../functions/core/report/console-links.ts';
import type { MachineDefinition } from '../../local/definitions.ts';
import { bundledCommands } from '../../scripts/bundled-commands.ts';
import { permissionProblems } from '../../scripts/permissions.ts';
import { suppressionsOf, unexplained } from '../../scripts/sam-tools.ts';
import { type NodeMap, parseTemplate, resolve } from '../../scripts/template.ts';
import {
  deadLetterProblems,
  environmentProblems,
  errorNameProblems,
  eventProblems,
  handlerProblems,
  interfaceProblems,
  metricProblems,
  PROJECT,
  type Project,
  parameterProblems,
  placeholderProblems,
  ruleMatches,
  TEMPLATE_TEXT,
  timeoutProblems,
} from './agreements.ts';

const README = readFileSync('README.md', 'utf8');

/** The project with one text of the template replaced everywhere, or where it stands first. */
function withTemplate(from: string, to: string): Project {
  expect(TEMPLATE_TEXT).toContain(from);
  return { ...PROJECT, template: parseTemplate(TEMPLATE_TEXT.replace(from, to)) };
}

/** The project with one text of a state machine replaced where it stands first. */
function withMachine(from: string, to: string): Project {
  const text = JSON.stringify(PROJECT.machines.respond);
  expect(text).toContain(from);
  const respond = JSON.parse(text.replace(from, to)) as MachineDefinition;
  return { ...PROJECT, machines: { ...PROJECT.machines, respond } };
}

let commands: ReadonlyMap<string, readonly string[]> = new Map();
beforeAll(async () => {
  commands = await bundledCommands();
  // esbuild shares the cores with the other tests.
}, 300_000);

describe('template, state machines, functions and the local runner', () => {
  it('agree on what stands behind each placeholder', () => {
    expect(placeholderProblems(PROJECT)).toEqual([]);
  });

  it('notice a placeholder that is renamed in the state machine', () => {
    const problems = placeholderProblems(withMachine('{VerifyCutFunctionArn}', '{VerifyFunctionArn}'));

    expect(problems).toContain('respond.asl.json, "Verify": template.yaml puts nothing in for VerifyFunctionArn');
    expect(problems).toContain(
      'RespondStateMachine puts something in for VerifyCutFunctionArn, which no task of respond.asl.json has',
    );
  });

  it('notice a placeholder that is renamed in the template', () => {
    const project = withTemplate('VerifyCutFunctionArn: !GetAtt', 'VerifyFunctionArn: !GetAtt');

    expect(placeholderProblems(project)).toContain(
      'respond.asl.json, "Verify": template.yaml puts nothing in for VerifyCutFunctionArn',
    );
  });

  it('notice two functions that are mixed up in the template', () => {
    const project = withTemplate('CodeUri: dist/verify-cut/', 'CodeUri: dist/release-nacl/');

    expect(placeholderProblems(project)).toContain(
      'VerifyCutFunctionArn: template.yaml runs release-nacl, local/definitions.ts runs verify-cut',
    );
  });

  it('notice a folder that is renamed', () => {
    const folders = PROJECT.folders.map((folder) => folder.replace('verify-cut', 'verify'));

    const problems = placeholderProblems({ ...PROJECT, folders });

    expect(problems).toContain('VerifyCutFunction: there is no functions/verify-cut/handler.ts');
    expect(problems).toContain('functions/verify/handler.ts: template.yaml has no such function');
  });

  it('notice a function that the state machine may not invoke', () => {
    const project = withTemplate('                  - !GetAtt VerifyCutFunction.Arn\n', '');

    expect(placeholderProblems(project)).toEqual(['RespondRole may not invoke VerifyCutFunction']);
  });

  it('agree on how long a function may run', () => {
    expect(timeoutProblems(PROJECT)).toEqual([]);
    expect(timeoutProblems(withMachine('"TimeoutSeconds":60', '"TimeoutSeconds":90'))).toEqual([
      'AssessFlowsFunction has Timeout 60, "Open and assess" waits 90 s for it',
    ]);
  });
});

describe('error names', () => {
  it('are the ones that the functions throw', () => {
    expect(errorNameProblems(PROJECT)).toEqual([]);
  });

  it('are missed when the state machine misspells one', () => {
    expect(errorNameProblems(withMachine('"InputError"', '"InputEror"'))).toContain(
      'respond.asl.json, "Open and assess": functions/core/errors.ts has no error named InputEror',
    );
  });

  it('are missed when the functions rename one', () => {
    const problems = errorNameProblems({ ...PROJECT, errorNames: ['BadInputError'] });

    expect(problems).toContain(
      'restore.asl.json, "Put back what was found": functions/core/errors.ts has no error named InputError',
    );
  });
});

const CUSTOM_RULES = ROUTE_GROUPS.filter(({ title }) => title === 'Custom Detection Rules').flatMap(({ routes }) =>
  routes.map(({ type }) => type),
);

describe("the rule's pattern", () => {
  const c2 = PROJECT.events.get('guardduty-ec2-c2activity.json') as NodeMap;
  const finding = (change: NodeMap): NodeMap => ({ ...c2, detail: { ...(c2['detail'] as NodeMap), ...change } });

  it('matches every sample that intake acts on, and every one that people must hear of', () => {
    expect(eventProblems(PROJECT)).toEqual([]);
    expect(PROJECT.events.size).toBeGreaterThan(10);
  });

  it('matches every type that is ever contained or asked about', () => {
    const types = ROUTE_GROUPS.flatMap(({ routes }): readonly FindingRoute[] => routes).filter(
      (route) => typeof route.class !== 'string' || ['ISO', 'ISO-ASK', 'ASK'].includes(route.class),
    );

    const missed = types.filter(({ type }) => !ruleMatches(PROJECT, finding({ type })));

    expect(types.length).toBeGreaterThan(50);
    expect(missed.map(({ type }) => type)).toEqual([]);
  });

  it.each(CUSTOM_RULES)('delivers what a custom detection rule says of an instance: %s', (type) => {
    expect(ruleMatches(PROJECT, finding({ type }))).toBe(true);
  });

  it.each([
    ['LOW', 1, 0.9],
    ['MEDIUM', 4, 3.9],
    ['HIGH', 7, 6.9],
    ['CRITICAL', 9, 8.9],
  ])('draws the line of %s at %d', (MinimumSeverity, from, below) => {
    expect(ruleMatches(PROJECT, finding({ severity: from }), { MinimumSeverity })).toBe(true);
    expect(ruleMatches(PROJECT, finding({ severity: below }), { MinimumSeverity })).toBe(false);
  });

  it('takes one prefix, and twenty', () => {
    const twenty = Array.from({ length: 20 }, (_, index) => `Trojan:EC2/T${index}`).join(',');

    expect(ruleMatches(PROJECT, c2, { FindingTypePrefixes: 'Trojan:' })).toBe(false);
    expect(ruleMatches(PROJECT, c2, { FindingTypePrefixes: 'Backdoor:EC2/' })).toBe(true);
    expect(ruleMatches(PROJECT, finding({ type: 'Trojan:EC2/T19' }), { FindingTypePrefixes: twenty })).toBe(true);
  });

  it('has no place for a twenty-first prefix, and the parameter says so', () => {
    const pattern = new RegExp(PROJECT.template.Parameters['FindingTypePrefixes']?.AllowedPattern ?? '');
    const prefixes = (length: number) => Array.from({ length }, (_, index) => `Trojan:EC2/T${index}`).join(',');

    expect([20, 21].map((length) => pattern.test(prefixes(length)))).toEqual([true, false]);
  });

  it('is for GuardDuty findings alone', () => {
    expect(ruleMatches(PROJECT, { ...c2, source: 'aws.securityhub' })).toBe(false);
    expect(ruleMatches(PROJECT, { ...c2, 'detail-type': 'GuardDuty Malware Protection Object Scan Result' })).toBe(
      false,
    );
  });

  it.each([
    ['source', 'source: [aws.guardduty]', 'source: [aws.guard-duty]'],
    ['detail-type', 'detail-type: [GuardDuty Finding]', 'detail-type: [GuardDuty Findings]'],
    ['severity', 'Default: MEDIUM', 'Default: CRITICAL'],
    ['field of the finding', '                type:\n', '                Type:\n'],
  ])('that disagrees on the %s is caught', (_, from, to) => {
    expect(eventProblems(withTemplate(from, to))).toContain(
      'events/guardduty-ec2-c2activity.json: intake would act on it (case), the rule in template.yaml does not match it',
    );
  });

  it('that compares with a number in quotes is caught', () => {
    const project = withTemplate('!If [SeverityFromHigh, 7, 9]', "!If [SeverityFromHigh, '7', 9]");

    expect(() => ruleMatches(project, c2, { MinimumSeverity: 'HIGH' })).toThrow('"7" is no number');
  });
});

describe('the environment', () => {
  it('that is set is the one that is read', () => {
    expect(environmentProblems(PROJECT, commands)).toEqual([]);
  });

  it('misses a variable that is renamed in the template', () => {
    const problems = environmentProblems(withTemplate('FLOWCUT_EXEMPT_TAG:', 'FLOWCUT_EXEMPTION_TAG:'), commands);

    expect(problems).toEqual([
      'template.yaml sets FLOWCUT_EXEMPTION_TAG, which no file of functions/ reads',
      'functions/ reads FLOWCUT_EXEMPT_TAG, which template.yaml does not set for all',
    ]);
  });

  it('misses a topic that the report does not get', () => {
    const project = withTemplate(
      '          FLOWCUT_TOPIC_ARN: !Ref NotificationTopic\n',
      '          FLOWCUT_MODE: contain\n',
    );

    expect(environmentProblems(project, commands)).toEqual([
      'ReportCaseFunction has sns:Publish in its bundle, and no FLOWCUT_TOPIC_ARN in template.yaml',
    ]);
  });

  it('accepts every value that the parameters allow, and the defaults are the same', () => {
    expect(parameterProblems(PROJECT)).toEqual([]);
  });

  it('misses a limit that is wider in the template', () => {
    expect(parameterProblems(withTemplate('MaxValue: 180', 'MaxValue: 900'))).toEqual([
      expect.stringContaining('template.yaml allows HostCutBudgetSeconds = 900, the functions refuse it'),
    ]);
  });

  it('misses a default that is another one in the template', () => {
    expect(parameterProblems(withTemplate('    Default: 45\n', '    Default: 60\n'))).toEqual([
      'hostCutBudgetSeconds: the default in template.yaml is not that of functions/shared/environment.ts',
    ]);
  });

  it('names the state machine as the template does', () => {
    const { RespondStateMachine, StartResponseFunction } = PROJECT.template.Resources;
    const name = JSON.stringify(RespondStateMachine?.Properties['Name']).replace(/^.*\$\{AWS::StackName\}|".*$/g, '');

    expect(name).toBe('-respond');
    expect(JSON.stringify(StartResponseFunction?.Properties['Environment'])).toContain(
      `stateMachine:\${AWS::StackName}${name}"`,
    );
  });
});

describe('alarms and dashboard', () => {
  it('watch metrics that are counted', () => {
    expect(metricProblems(PROJECT)).toEqual([]);
  });

  it.each([
    [
      'a metric that is renamed',
      'MetricName: NoInstanceNamed\n          MetricValue',
      'MetricName: NoInstance\n          MetricValue',
      'NoInstanceNamedAlarm watches flowcut NoInstanceNamed, which no metric filter of template.yaml makes',
    ],
    [
      'an outcome that is renamed',
      '- { Name: Outcome, Value: partly-restored }',
      '- { Name: Outcome, Value: partial }',
      'RestoreNotWholeAlarm watches the outcome partial, which functions/core/report/restore-report.ts does not have',
    ],
    [
      'a verdict that is renamed',
      '"Verdict", "leaking" ]',
      '"Verdict", "leaks" ]',
      'Dashboard watches the verdict leaks, which functions/core/report/report.ts does not have',
    ],
    [
      'a dimension that is renamed',
      '- { Key: Verdict, Value: $.verdict }',
      '- { Key: Outcome, Value: $.verdict }',
      'Dashboard watches flowcut Reports by "Verdict", it is counted by "Outcome"',
    ],
    [
      'a metric that must never be counted',
      'MetricName: Leaking\n          MetricValue',
      'MetricName: NeverCounted\n          MetricValue',
      'ObservingAlarm watches for no data, and flowcut NeverCounted is counted',
    ],
    [
      'a metric of AWS that is misspelt',
      'MetricName: ExecutionsTimedOut',
      'MetricName: ExecutionsTimeout',
      'RespondFailedAlarm watches AWS/States ExecutionsTimeout, which no metric filter of template.yaml makes',
    ],
  ])('notice %s', (_, from, to, problem) => {
    expect(metricProblems(withTemplate(from, to))).toContain(problem);
  });
});

describe('dead letters', () => {
  it('end in the queue that the alarm watches', () => {
    expect(deadLetterProblems(PROJECT)).toEqual([]);
  });

  it.each([
    [
      'a rule without a queue',
      '            DeadLetterConfig:\n              Arn: !GetAtt DeadLetterQueue.Arn\n',
      '',
      'what the rule cannot deliver goes to nowhere, DeadLettersAlarm watches DeadLetterQueue',
    ],
    [
      'a function without a queue',
      '          OnFailure:\n',
      '          OnSuccess:\n',
      'what start-response fails on goes to nowhere, DeadLettersAlarm watches DeadLetterQueue',
    ],
    [
      'an alarm on something else',
      'Value: !GetAtt DeadLetterQueue.QueueName',
      'Value: !GetAtt NotificationTopic.TopicName',
      'DeadLettersAlarm watches NotificationTopic.TopicName, which is no queue',
    ],
  ])('notice %s', (_, from, to, problem) => {
    expect(deadLetterProblems(withTemplate(from, to))).toContain(problem);
  });
});

describe('links into the console', () => {
  const partitions = [
    ['aws', 'eu-central-1'],
    ['aws-cn', 'cn-north-1'],
    ['aws-us-gov', 'us-gov-west-1'],
    ['aws-eusc', 'eusc-de-east-1'],
  ] as const;

  it.each(partitions)(
    'of the outputs lead where those of the messages do, in the partition %s',
    (partition, region) => {
      const { execution } = consoleLinks(`arn:${partition}:states:${region}:111122223333:execution:x:y`, 'cases', null);
      const outputs = resolve(PROJECT.template, PROJECT.template.Outputs, {
        'AWS::Partition': partition,
        'AWS::Region': region,
      }) as Record<string, { Value: string }>;

      const links = Object.entries(outputs).filter(([name]) => name.endsWith('Console'));

      expect(links.length).toBeGreaterThan(3);
      expect(links.map(([, { Value }]) => new URL(Value).origin)).toEqual(
        links.map(() => new URL(execution ?? '').origin),
      );
      expect(outputs['RespondConsole']?.Value).toContain(`/states/home?region=${region}#`);
    },
  );
});

describe('the handler of each function', () => {
  it('is exported under the name that template.yaml calls', () => {
    expect(handlerProblems(PROJECT)).toEqual([]);
  });

  it('is missed when the template calls another name', () => {
    const problems = handlerProblems(withTemplate('Handler: index.handler', 'Handler: index.handle'));

    expect(problems).toHaveLength(PROJECT.folders.length);
    expect(problems).toContain(
      'VerifyCutFunction calls index.handle, functions/verify-cut/handler.ts exports handler and build.mjs writes index',
    );
  });

  it('is missed when a file exports another name', () => {
    const path = 'functions/verify-cut/handler.ts';
    const renamed = PROJECT.sources.get(path)?.replace('export const handler', 'export const handle') ?? '';

    expect(handlerProblems({ ...PROJECT, sources: new Map(PROJECT.sources).set(path, renamed) })).toEqual([
      'VerifyCutFunction calls index.handler, functions/verify-cut/handler.ts exports handle and build.mjs writes index',
    ]);
  });
});

describe('the README', () => {
  const named = (template: Project['template']) =>
    Object.entries(template.Resources)
      .filter(([, { DeletionPolicy }]) => DeletionPolicy === 'Retain')
      .map(([id]) => id);

  it('says of all that outlives the stack how to delete it', () => {
    const uninstall = README.slice(README.indexOf('## Uninstall'), README.indexOf('## Development'));

    expect(named(PROJECT.template)).toEqual([
      'CaseTable',
      'FlowLogBucket',
      'FlowLogBucketPolicy',
      'FunctionLogGroup',
      'ExecutionLogGroup',
    ]);
    for (const id of named(PROJECT.template)) expect(uninstall).toContain(`| \`${id}\` |`);
  });

  it('names functions and events that there are', () => {
    const calls = [...README.matchAll(/sam local invoke (\w+) --event ([\w/.-]+)/g)];

    expect(calls.length).toBeGreaterThan(0);
    for (const [, id = '', event = ''] of calls) {
      expect(PROJECT.template.Resources[id]?.Type).toBe('AWS::Serverless::Function');
      expect(existsSync(event)).toBe(true);
    }
  });
});

describe('the form in the console', () => {
  it('has a place and a label for each parameter', () => {
    expect(interfaceProblems(PROJECT)).toEqual([]);
    expect(interfaceProblems(withTemplate('Parameters: [ExemptTag, ', 'Parameters: ['))).toEqual([
      'ExemptTag is in no group of the Interface',
    ]);
  });
});

describe('permissions', () => {
  const problems = ({ template }: Project) => permissionProblems(template, commands);

  it('are those that the bundles need', () => {
    expect(problems(PROJECT)).toEqual([]);
  });

  it.each([
    [
      'a command without its permission',
      'Action: ssm:SendCommand',
      'Action: ssm:StartSession',
      'CutOnHostRole lacks ssm:SendCommand, which the bundle of cut-on-host needs for ssm:SendCommand',
    ],
    [
      'a permission without its command',
      'Action: ssm:SendCommand',
      "Action: ['ssm:SendCommand', 'ssm:StartSession']",
      'CutOnHostRole allows ssm:StartSession, but the bundle of cut-on-host holds no command that needs it',
    ],
    [
      'a role that two functions share',
      'Role: !GetAtt CutOnHostRole.Arn',
      'Role: !GetAtt CheckHostCutRole.Arn',
      'CheckHostCutFunction and CutOnHostFunction share CheckHostCutRole: each function has a role of its own',
    ],
    [
      'an action on everything without a reason',
      'Resource: !Ref NotificationTopic\n',
      "Resource: '*'\n",
      'ReportCaseRole: Publish allows sns:Publish on * and nothing says why',
    ],
    [
      'a wildcard in an action',
      'Action: ssm:SendCommand',
      "Action: 'ssm:*'",
      'CutOnHostRole: SendOurDocuments allows ssm:*; name the actions',
    ],
  ])('that are broken by %s are caught', (_, from, to, problem) => {
    expect(problems(withTemplate(from, to))).toContain(problem);
  });

  it('that a new command in a bundle needs are missed', () => {
    const known = commands.get('cut-on-host') ?? [];
    const more = new Map(commands).set('cut-on-host', ['ec2:TerminateInstances', ...known]);

    expect(permissionProblems(PROJECT.template, more)).toEqual([
      'CutOnHostRole lacks ec2:TerminateInstances, which the bundle of cut-on-host needs for ec2:TerminateInstances',
    ]);
  });
});

describe('suppressed findings of checkov', () => {
  it('have their reasons', () => {
    const suppressions = suppressionsOf(PROJECT.template);

    expect(suppressions.length).toBeGreaterThan(3);
    expect(suppressions.filter(({ comment }) => comment.length < 20)).toEqual([]);
  });

  it('are told apart from findings that nobody explained, and from explanations that nobody needs', () => {
    const known = suppressionsOf(PROJECT.template).map(({ id, resource }) => ({
      id,
      resource: resource === '*' ? 'CutOnHostFunction' : resource,
    }));
    const fresh = { id: 'CKV_AWS_999', resource: 'CaseTable' };

    expect(unexplained(known, PROJECT.template)).toEqual([]);
    expect(unexplained([...known, fresh], PROJECT.template)).toEqual([
      'CKV_AWS_999 on CaseTable: mend it, or explain it in the Metadata of template.yaml',
    ]);
    expect(unexplained(known.slice(1), PROJECT.template)).toEqual([
      expect.stringContaining('the suppression silences nothing'),
    ]);
  });
});
