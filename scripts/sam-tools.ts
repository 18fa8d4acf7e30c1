/**
 * Holds template.yaml against AWS's own tools: cfn-lint on it and on what the transform makes of it, `sam validate --lint`,
 * `sam build` on the bundles of this project, and checkov. They come from PyPI at the versions in sam-tools.txt, into a virtual environment under .cache/.
 * Ends with `N passed, N failed`; without Python everything is skipped.
 *
 *   node scripts/sam-tools.ts [sam|cfn-lint|checkov arguments...]    runs one tool instead
 */
import { type SpawnSyncReturns, spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { noPython, pythonWith } from './python-tools.ts';
import { isMap, type Node, readTemplate, resolve, resourcesOf, type Template, text } from './template.ts';
import { transformed } from './transformed.ts';

/** The tools run on Python 3.9 as well. */
const LEAST_MINOR = 9;

/** Whatever account the machine knows, the tools shall not. */
const ENVIRONMENT = {
  ...process.env,
  SAM_CLI_TELEMETRY: '0',
  AWS_REGION: 'eu-central-1',
  AWS_DEFAULT_REGION: 'eu-central-1',
  AWS_ACCESS_KEY_ID: 'AKIAIOSFODNN7EXAMPLE',
  AWS_SECRET_ACCESS_KEY: 'not-a-secret',
  AWS_CONFIG_FILE: '/dev/null',
  AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
  AWS_EC2_METADATA_DISABLED: 'true',
};

function run(command: string, args: readonly string[]): SpawnSyncReturns<string> {
  return spawnSync(command, args, { encoding: 'utf8', env: ENVIRONMENT, maxBuffer: 64 * 1024 * 1024 });
}

const complaint = ({ error, stdout, stderr }: SpawnSyncReturns<string>): string =>
  [error?.message, stdout, stderr].filter((part) => part !== undefined && part.trim() !== '').join('\n');

/** Runs one of the tools by its name. */
type Tool = (name: string, args: readonly string[]) => SpawnSyncReturns<string>;

/** A passed or failed check: null or what is wrong. */
type Outcome = string | null;

const judged = (answer: SpawnSyncReturns<string>): Outcome => (answer.status === 0 ? null : complaint(answer));

/** `sam build` must take what `npm run build` made: a build of its own would ship what nobody tested. */
function samBuild(tool: Tool): Outcome {
  const bundled = run(process.execPath, ['build.mjs']);
  if (bundled.status !== 0) return complaint(bundled);
  const folder = '.cache/sam-build';
  const built = tool('sam', ['build', '--build-dir', folder, '--template', 'template.yaml']);
  if (built.status !== 0) return complaint(built);
  const output = readFileSync(join(folder, 'template.yaml'), 'utf8');
  const functions = resourcesOf(readTemplate(), 'AWS::Serverless::Function');
  const taken = output.match(/CodeUri: \.\.\/\.\.\/dist\//g)?.length ?? 0;
  return taken === functions.length ? null : `sam build took ${taken} of ${functions.length} bundles from dist/`;
}

interface Finding {
  readonly id: string;
  readonly resource: string;
}

/** The suppressions of the template: for all resources, and for one. Each has its reason. */
export function suppressionsOf(template: Template): readonly (Finding & { readonly comment: string })[] {
  const read = (resource: string, metadata: Node | undefined) => {
    const checkov = isMap(metadata) ? metadata['checkov'] : undefined;
    const skip = isMap(checkov) ? checkov['skip'] : undefined;
    const list = Array.isArray(skip) ? (skip as readonly Node[]) : [];
    return list.filter(isMap).map(({ id, comment }) => ({ id: text(id), resource, comment: text(comment) }));
  };
  const own = Object.entries(template.Resources).flatMap(([id, { Metadata }]) => read(id, Metadata));
  return [...read('*', template.Metadata), ...own];
}

/** What checkov found and nobody explained, and what is explained and was not found. */
export function unexplained(found: readonly Finding[], template: Template): readonly string[] {
  const suppressions = suppressionsOf(template);
  const covers = (one: Finding, other: Finding): boolean =>
    one.id === other.id && (one.resource === '*' || one.resource === other.resource);
  return [
    ...found
      .filter((finding) => !suppressions.some((suppression) => covers(suppression, finding)))
      .map(({ id, resource }) => `${id} on ${resource}: mend it, or explain it in the Metadata of template.yaml`),
    ...suppressions
      .filter((suppression) => suppression.comment.length < 20)
      .map(({ id, resource }) => `${id} on ${resource}: the suppression says no reason`),
    ...suppressions
      .filter((suppression) => !found.some((finding) => covers(suppression, finding)))
      .map(({ id, resource }) => `${id} on ${resource}: the suppression silences nothing, remove it`),
  ];
}

/** checkov sees a copy without the suppressions: so each one is known to be needed. */
function checkov(tool: Tool): Outcome {
  const folder = mkdtempSync('.cache/checkov-');
  try {
    const copy = join(folder, 'template.yaml');
    writeFileSync(copy, readFileSync('template.yaml', 'utf8').replaceAll(/^( +)checkov:$/gm, '$1explained:'));
    const args = [
      '--file',
      copy,
      '--framework',
      'cloudformation',
      '--output',
      'json',
      '--skip-download',
      '--soft-fail',
    ];
    const answer = tool('checkov', args);
    if (answer.status !== 0) return complaint(answer);
    const { results, summary } = JSON.parse(answer.stdout) as {
      results: { failed_checks: readonly { check_id: string; resource: string }[] };
      summary: { passed: number; parsing_errors: number };
    };
    if (summary.parsing_errors > 0 || summary.passed < 50)
      return `checkov could not read it: ${JSON.stringify(summary)}`;
    const found = results.failed_checks.map(({ check_id, resource }) => ({
      id: check_id,
      resource: resource.replace(/^.*\./, ''),
    }));
    const problems = unexplained(found, readTemplate());
    return problems.length === 0 ? null : problems.join('\n');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What SAM would send for each environment of samconfig.toml, by its own code: parameters that are given, and those that stay. */
const SENT = `
import json, sys
from samcli.cli.types import CfnParameterOverridesType
from samcli.commands.deploy.deploy_context import DeployContext
from samcli.commands.deploy.guided_config import GuidedConfig
from samcli.lib.config.samconfig import SamConfig

[folder, *answered] = sys.argv[1:]
if answered:
    config = SamConfig(folder)
    answers = dict(one.split('=') for one in answered)
    GuidedConfig('template.yaml', 'parameters')._save_parameter_overrides(['deploy'], 'default', answers, config)
    config.flush()

def sent(env, given):
    config = SamConfig(folder).get_all(['deploy'], 'parameters', env=env)
    overrides = given or config.get('parameter_overrides')
    values = CfnParameterOverridesType().convert(overrides, None, None) if overrides else {}
    template = {'Parameters': {'Mode': {}, 'VpcIds': {}}}
    stays = [p['ParameterKey'] for p in DeployContext.merge_parameters(template, values) if p.get('UsePreviousValue')]
    return {'stack': config['stack_name'], 'given': values, 'stays': stays}

print(json.dumps([sent('default', None), sent('contain', None), sent('observe', None), sent('default', ['VpcIds=vpc-1'])]))
`;

/** A deployment that does not speak of the mode must not change it: that would switch containment off unseen. */
function modeStays(tool: Tool): Outcome {
  const answer = tool('python', ['-c', SENT, '.']);
  if (answer.status !== 0) return complaint(answer);
  const expected = [
    { stack: 'flowcut', given: {}, stays: ['Mode', 'VpcIds'] },
    { stack: 'flowcut', given: { Mode: 'contain' }, stays: ['VpcIds'] },
    { stack: 'flowcut', given: { Mode: 'observe' }, stays: ['VpcIds'] },
    { stack: 'flowcut', given: { VpcIds: 'vpc-1' }, stays: ['Mode'] },
  ];
  const sent = JSON.stringify(JSON.parse(answer.stdout));
  return sent === JSON.stringify(expected) ? null : `SAM would send ${sent}`;
}

/**
 * `sam deploy --guided` saves its answers, and each plain deployment sends them again: the alarm tells of the mode that the
 * stack has then.
 */
function savedModeIsTold(tool: Tool): Outcome {
  const folder = mkdtempSync('.cache/guided-');
  try {
    copyFileSync('samconfig.toml', join(folder, 'samconfig.toml'));
    const answer = tool('python', ['-c', SENT, folder, 'Mode=observe', 'VpcIds=']);
    if (answer.status !== 0) return complaint(answer);
    const [plain] = JSON.parse(answer.stdout) as readonly {
      given: Readonly<Record<string, string>>;
      stays: string[];
    }[];
    const expected = { stack: 'flowcut', given: { Mode: 'observe', VpcIds: '' }, stays: [] };
    if (JSON.stringify(plain) !== JSON.stringify(expected)) return `SAM would send ${JSON.stringify(plain)}`;
    const template = readTemplate();
    const alarm = resolve(template, template.Resources['ObservingAlarm']?.Properties ?? null, plain?.given ?? {});
    const { TreatMissingData, AlarmActions } = isMap(alarm) ? alarm : {};
    const said = JSON.stringify([TreatMissingData, AlarmActions]);
    return said === '["breaching",["<NotificationTopic>"]]' ? null : `ObservingAlarm does not tell of it: ${said}`;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Three partitions, and Regions that get new things early and late. */
const REGIONS = {
  aws: ['us-east-1', 'us-west-2', 'eu-central-1', 'eu-west-1', 'ap-southeast-2', 'sa-east-1'],
  'aws-us-gov': ['us-gov-west-1', 'us-gov-east-1'],
  'aws-cn': ['cn-north-1', 'cn-northwest-1'],
} as const;

/**
 * The transform joins a definition of its lines, and cfn-lint follows a join line by line, deeper than Python lets it: a join of
 * nothing but text is that text.
 */
function withJoinedTexts(node: Node): Node {
  if (Array.isArray(node)) return node.map(withJoinedTexts);
  if (!isMap(node)) return node;
  const join = node['Fn::Join'];
  const [separator, parts] = (Array.isArray(join) ? join : []) as readonly Node[];
  if (typeof separator === 'string' && Array.isArray(parts) && parts.every((part) => typeof part === 'string')) {
    return parts.join(separator);
  }
  return Object.fromEntries(Object.entries(node).map(([name, value]) => [name, withJoinedTexts(value)]));
}

/** What CloudFormation is given in the end, in each Region. */
function transformInRegions(tool: Tool): Outcome {
  const folder = mkdtempSync('.cache/transformed-');
  try {
    const file = join(folder, 'template.json');
    const template = transformed();
    if (template === null) return 'there was a Python, and now there is none';
    const serverless = Object.values(template.Resources).filter(({ Type }) => Type.startsWith('AWS::Serverless::'));
    if (serverless.length > 0) return 'the transform left resources of AWS::Serverless';
    writeFileSync(file, JSON.stringify(withJoinedTexts(template as unknown as Node)));
    return judged(tool('cfn-lint', ['--regions', ...Object.values(REGIONS).flat(), '--', file]));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const CHECKS: Readonly<Record<string, (tool: Tool) => Outcome>> = {
  'cfn-lint': (tool) => judged(tool('cfn-lint', ['template.yaml'])),
  'cfn-lint on the transform, in ten Regions of three partitions': transformInRegions,
  'sam validate --lint': (tool) => judged(tool('sam', ['validate', '--lint', '--template', 'template.yaml'])),
  'sam deploy keeps the mode': modeStays,
  'sam deploy after --guided sends the mode again, and an alarm tells': savedModeIsTold,
  'sam build on our bundles': samBuild,
  checkov,
};

function main(given: readonly string[]): void {
  const python = pythonWith('sam', { leastMinor: LEAST_MINOR });
  if (python === null) {
    console.log(`${noPython(LEAST_MINOR)}: the tools of AWS are not run`);
    console.log(`0 passed, 0 failed, ${Object.keys(CHECKS).length} skipped`);
    return;
  }
  const program = (name: string): string => join(dirname(python), name);
  const [command, ...args] = given;
  if (command !== undefined) {
    process.exitCode =
      spawnSync(python, [program(command), ...args], { stdio: 'inherit', env: ENVIRONMENT }).status ?? 1;
    return;
  }
  const tool: Tool = (name, options) => run(python, name === 'python' ? options : [program(name), ...options]);
  let failed = 0;
  for (const [name, check] of Object.entries(CHECKS)) {
    const started = Date.now();
    const problem = check(tool);
    const seconds = ((Date.now() - started) / 1000).toFixed(1);
    if (problem === null) console.log(`ok      ${name} (${seconds} s)`);
    else console.log(`FAILED  ${name} (${seconds} s)\n${problem}`);
    failed += problem === null ? 0 : 1;
  }
  console.log(`${Object.keys(CHECKS).length - failed} passed, ${failed} failed`);
  process.exitCode = failed > 0 ? 1 : 0;
}

if (import.meta.main) main(process.argv.slice(2));
