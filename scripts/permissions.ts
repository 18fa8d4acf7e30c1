/**
 * Writes docs/permissions.md from template.yaml and from the SDK commands that each bundle really holds, and fails where
 * the two disagree. `--check` writes nothing and fails when the page is out of date too.
 */
import { fileURLToPath } from 'node:url';
import { USES } from '../functions/controls/faces.ts';
import { bundledCommands } from './bundled-commands.ts';
import {
  ACTION_PREFIXES,
  COMMAND_ACTIONS,
  COMPANIONS,
  PURPOSES,
  WITHOUT_COMMAND,
  WITHOUT_RESOURCE,
} from './permission-rules.ts';
import {
  folderOf,
  isMap,
  listOf,
  type Node,
  type NodeMap,
  readTemplate,
  resourcesOf,
  roleIdOf,
  type Template,
  text,
} from './template.ts';
import { writtenPage } from './written-page.ts';

interface Statement {
  readonly sid: string;
  readonly effect: string;
  readonly actions: readonly string[];
  readonly resources: readonly string[];
  readonly condition: Node | undefined;
}

/** A node as a person reads it: `!Sub` and `!Ref` without their wrapping. */
function plain(node: Node): string {
  if (!isMap(node)) return typeof node === 'string' ? node : JSON.stringify(node);
  const [[key, value] = ['', null]] = Object.entries(node);
  if (key === 'Ref') return `\${${text(value)}}`;
  if (key === 'Fn::GetAtt') return `\${${Array.isArray(value) ? value.join('.') : text(value)}}`;
  if (key === 'Fn::Sub') return text(value);
  if (key === 'Fn::Split') return 'the VPCs of VpcIds';
  return JSON.stringify(node);
}

function statementsOf(document: Node | undefined): readonly Statement[] {
  if (!isMap(document)) return [];
  return listOf(document['Statement']).map((given): Statement => {
    // `!If [condition, statement, AWS::NoValue]`
    const chosen = isMap(given) && given['Fn::If'] !== undefined ? (given['Fn::If'] as readonly Node[])[1] : given;
    const statement = chosen as NodeMap;
    return {
      sid: text(statement['Sid']),
      effect: text(statement['Effect']),
      actions: listOf(statement['Action']).map(text),
      resources: listOf(statement['Resource']).map(plain),
      condition: statement['Condition'],
    };
  });
}

/** The statements that a role holds itself, without those of the policies that all roles share. */
function ownStatements(template: Template, roleId: string): readonly Statement[] {
  const policies = listOf(template.Resources[roleId]?.Properties['Policies']);
  return policies.flatMap((policy) => (isMap(policy) ? statementsOf(policy['PolicyDocument']) : []));
}

const sharedStatements = (template: Template): readonly (readonly [string, readonly Statement[]])[] =>
  resourcesOf(template, 'AWS::IAM::ManagedPolicy').map(([id, policy]) => [
    id,
    statementsOf(policy.Properties['PolicyDocument']),
  ]);

/** The actions that a command needs, those that another service takes for it among them. */
export function actionsOf(command: string): readonly string[] {
  return [...ownActionsOf(command), ...(COMPANIONS[command]?.actions ?? [])];
}

function ownActionsOf(command: string): readonly string[] {
  const [client = '', name = ''] = command.split(':');
  return COMMAND_ACTIONS[command] ?? [`${ACTION_PREFIXES[client] ?? `unknown client ${client}`}:${name}`];
}

/** A control's file holds both ways; the role of a function that goes one way must not allow the other. */
function isOtherWay(folder: string, action: string): boolean {
  const use = USES[folder];
  const permissions = (use?.faces ?? [])
    .flatMap((face) => face.permissions)
    .filter(({ actions }) => actions.includes(action));
  return permissions.length > 0 && permissions.every((one) => use?.ways.includes(one.for) !== true);
}

/** What controls say that they need, against the statements of the roles that use them. */
function controlProblems(template: Template, folder: string, roleId: string): readonly string[] {
  const use = USES[folder];
  const statements = ownStatements(template, roleId);
  const needed = (use?.faces ?? []).flatMap(({ name, permissions }) =>
    permissions.filter((one) => use?.ways.includes(one.for)).map((one) => ({ name, ...one })),
  );
  return needed.flatMap(({ name, sid, actions }) => {
    const allowed = granted(statements.filter((one) => one.sid === sid));
    // A function that looks for more reasons than this one may have the action in another statement.
    const anywhere = granted(statements);
    return actions
      .filter((action) => !allowed.has(action) && !(sid.startsWith('Look') && anywhere.has(action)))
      .map((action) => `${roleId} lacks ${action} in ${sid}, which the control "${name}" needs`);
  });
}

const granted = (statements: readonly Statement[]): ReadonlySet<string> =>
  new Set(statements.filter(({ effect }) => effect === 'Allow').flatMap(({ actions }) => actions));

/** The commands of a bundle that the function can come to send: not those of the way that it does not go. */
export const sendable = (folder: string, bundle: readonly string[]): readonly string[] =>
  bundle.filter((command) => {
    const own = ownActionsOf(command);
    return own.length === 0 || own.some((action) => !isOtherWay(folder, action));
  });

/** What the role lacks for a command of the bundle. */
function commandProblems(
  roleId: string,
  folder: string,
  command: string,
  actions: ReadonlySet<string>,
): readonly string[] {
  return actionsOf(command)
    .filter((action) => !actions.has(action) && !isOtherWay(folder, action))
    .map((action) => `${roleId} lacks ${action}, which the bundle of ${folder} needs for ${command}`);
}

/** Where the policies and the bundles disagree, in sentences. */
export function permissionProblems(
  template: Template,
  commands: ReadonlyMap<string, readonly string[]>,
): readonly string[] {
  const problems: string[] = [];
  const roles = new Map<string, string>();
  for (const [id, resource] of resourcesOf(template, 'AWS::Serverless::Function')) {
    const folder = folderOf(resource);
    const roleId = roleIdOf(resource);
    const other = roles.get(roleId);
    if (other !== undefined) problems.push(`${id} and ${other} share ${roleId}: each function has a role of its own`);
    roles.set(roleId, id);
    const bundle = commands.get(folder);
    if (bundle === undefined) {
      problems.push(`${id} runs dist/${folder}/, but there is no functions/${folder}/handler.ts`);
      continue;
    }
    const actions = granted(ownStatements(template, roleId));
    problems.push(...sendable(folder, bundle).flatMap((command) => commandProblems(roleId, folder, command, actions)));
    problems.push(...controlProblems(template, folder, roleId));
    const needed = new Set(sendable(folder, bundle).flatMap(actionsOf));
    const invoked = JSON.stringify(resource.Properties['EventInvokeConfig'] ?? null).includes('OnFailure');
    for (const action of actions) {
      if (needed.has(action) || (action === 'sqs:SendMessage' && invoked)) continue;
      problems.push(`${roleId} allows ${action}, but the bundle of ${folder} holds no command that needs it`);
    }
  }
  for (const [id, resource] of resourcesOf(template, 'AWS::Serverless::StateMachine'))
    roles.set(roleIdOf(resource), id);
  for (const [id] of resourcesOf(template, 'AWS::IAM::Role')) {
    if (!roles.has(id)) problems.push(`${id} is the role of no function and no state machine`);
  }
  const deployed = resourcesOf(template, 'AWS::Serverless::Function').map(([, resource]) => folderOf(resource));
  for (const folder of commands.keys()) {
    if (!deployed.includes(folder)) problems.push(`functions/${folder}/handler.ts is no function in template.yaml`);
  }
  return [...problems, ...statementProblems(template, [...roles.keys()])];
}

function statementProblems(template: Template, roleIds: readonly string[]): readonly string[] {
  const shared = sharedStatements(template);
  const all = [...roleIds.map((id) => [id, ownStatements(template, id)] as const), ...shared];
  const problems = all.flatMap(([id, statements]) =>
    statements.flatMap(({ sid, effect, actions, resources }) => {
      const found: string[] = [];
      if (PURPOSES[sid] === undefined) found.push(`${id}: nothing says what the statement ${sid} is for`);
      if (effect !== 'Allow') return found;
      const stars = actions.filter((action) => action.includes('*') && WITHOUT_COMMAND[action] === undefined);
      found.push(...stars.map((action) => `${id}: ${sid} allows ${action}; name the actions`));
      if (!resources.includes('*')) return found;
      const unexplained = actions.filter((action) => WITHOUT_RESOURCE[action] === undefined);
      return [...found, ...unexplained.map((action) => `${id}: ${sid} allows ${action} on * and nothing says why`)];
    }),
  );
  const used = new Set(all.flatMap(([, statements]) => statements.map(({ sid }) => sid)));
  const unused = Object.keys(PURPOSES).filter((sid) => !used.has(sid));
  const basics = shared
    .filter(([id]) => id === 'FunctionBasicsPolicy')
    .flatMap(([, statements]) => [...granted(statements)]);
  const unknown = basics.filter((action) => WITHOUT_COMMAND[action] === undefined);
  return [
    ...problems,
    ...unused.map((sid) => `scripts/permission-rules.ts explains ${sid}, which is no statement of template.yaml`),
    ...unknown.map((action) => `FunctionBasicsPolicy allows ${action}, and nothing says which service takes it`),
  ];
}

const cell = (content: string): string => content.replaceAll('|', '\\|');
const row = (...cells: readonly string[]): string => `| ${cells.map(cell).join(' | ')} |`;
const code = (texts: readonly string[]): string => texts.map((part) => `\`${part}\``).join(', ');

function conditionText(condition: Node | undefined): string {
  if (!isMap(condition)) return '';
  return Object.entries(condition)
    .flatMap(([operator, keys]) =>
      Object.entries(isMap(keys) ? keys : {}).map(
        ([key, value]) => `${operator} \`${key}\`: ${code(listOf(value).map(plain))}`,
      ),
    )
    .join('; ');
}

const shortened = (resource: string): string =>
  resource.replace(/^arn:\$\{AWS::Partition\}:/, 'arn:…:').replace(/\$\{AWS::Region\}:\$\{AWS::AccountId\}:/, '…:');

function scopeOf({ actions, resources, condition }: Statement): string {
  const reasons = resources.includes('*') ? [...new Set(actions.map((action) => WITHOUT_RESOURCE[action] ?? ''))] : [];
  const scope = code(resources.map(shortened));
  return [reasons.length > 0 ? `${scope} (${reasons.join('; ')})` : scope, conditionText(condition)]
    .filter((part) => part !== '')
    .join('; if ');
}

function neededBy({ actions }: Statement, bundle: readonly string[]): string {
  const commands = bundle.filter((command) => actionsOf(command).some((action) => actions.includes(action)));
  if (commands.length > 0) return commands.map((command) => command.replace(/^[\w-]+:/, '')).join(', ');
  return [...new Set(actions.map((action) => WITHOUT_COMMAND[action] ?? ''))].join('; ');
}

function tableOf(statements: readonly Statement[], bundle: readonly string[] | null): string {
  const head = ['for', 'allows', 'on', ...(bundle === null ? [] : ['needed by'])];
  const lines = statements.map((statement) =>
    row(
      PURPOSES[statement.sid] ?? statement.sid,
      `${statement.effect === 'Deny' ? '**denies** ' : ''}${code(statement.actions)}`,
      scopeOf(statement),
      ...(bundle === null ? [] : [neededBy(statement, bundle)]),
    ),
  );
  return [row(...head), row(...head.map(() => '---')), ...lines].join('\n');
}

/** Who holds a policy that is no role's own. */
const SHARED_BY: Readonly<Record<string, string>> = {
  FunctionBasicsPolicy: 'Every function',
  VpcBorderPolicy: 'Every function, with VpcIds',
  ExecutionBasicsPolicy: 'Both state machines',
};

/** What Elastic Load Balancing and others do with the rights of their caller, as a table. */
function companionsTable(): string {
  const lines = Object.entries(COMPANIONS).map(([command, { actions, source }]) =>
    row(`\`${command.replace(/^[\w-]+:/, '')}\` (${command.split(':')[0]})`, code(actions), `[AWS](${source})`),
  );
  return [row('call', 'also needs', 'says'), row('---', '---', '---'), ...lines].join('\n');
}

export function permissionsPage(template: Template, commands: ReadonlyMap<string, readonly string[]>): string {
  const functions = resourcesOf(template, 'AWS::Serverless::Function').map(([, resource]) => {
    const folder = folderOf(resource);
    return `### ${folder}\n\n${tableOf(ownStatements(template, roleIdOf(resource)), commands.get(folder) ?? [])}`;
  });
  const machines = resourcesOf(template, 'AWS::Serverless::StateMachine').map(([id, resource]) => {
    return `### ${id}\n\n${tableOf(ownStatements(template, roleIdOf(resource)), null)}`;
  });
  const shared = sharedStatements(template).map(([id, statements]) => {
    return `### ${SHARED_BY[id] ?? id}\n\n${tableOf(statements, null)}`;
  });
  return [
    '# Permissions',
    '',
    '<!-- Written by scripts/permissions.ts from template.yaml and the bundles; do not edit. -->',
    '',
    'One role per function. "Needed by" are the SDK commands that the bundle of the function really holds: a command without its permission, or a permission without its command, fails `npm run check`.',
    '',
    'What each call asks of IAM is simulated against these roles: `npm run test:iam` ([held to](held-to.md#the-permissions)).',
    '',
    'What IAM does not narrow, and you should know:',
    '',
    '- `ec2:ModifyInstanceAttribute` (preserve-evidence, restore-evidence): flowcut sets protection, shutdown behaviour and delete on termination. [`ec2:Attribute`](https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/iam-policies-for-amazon-ec2.html#attribute-key) could limit the right to these, but AWS does not say under which names a request brings them, and a wrong one would stop the containment. So the key is used the other way round: user data, groups, kernel, type and source check are denied by name, which at worst denies nothing.',
    '- `ec2:ModifyNetworkInterfaceAttribute` (swap-security-groups, restore-instance) could put any group on an interface; flowcut sets its isolation group, and on a restore the recorded ones. The source check and public addresses are denied in the same way.',
    '- `ec2:CreateNetworkAclEntry` could write an allow as well as a deny; flowcut writes denies only.',
    '- `ec2:AuthorizeSecurityGroup*` and `ec2:RevokeSecurityGroupEgress` (restore-instance) reach every group of the account: a deleted group comes back with the tags that it had and no other, so nothing tells IAM which one it is.',
    '- The exempt tag is looked at by flowcut, not by IAM.',
    '- `VpcIds` is looked at by flowcut too, before an instance is claimed. Behind it stands IAM where a request brings the VPC: network ACLs, interfaces, security groups. EC2 brings none for instances, volumes and snapshots, and neither do Systems Manager, Auto Scaling and Elastic Load Balancing.',
    '',
    '`PermissionsBoundary` and `RolePath` are put on every role. A boundary must allow what stands here, or containment is denied.',
    '',
    '## Functions',
    '',
    functions.join('\n\n'),
    '',
    '## State machines',
    '',
    machines.join('\n\n'),
    '',
    '## Shared',
    '',
    shared.join('\n\n'),
    '',
    '## What a service does with the rights of its caller',
    '',
    'The Service Authorization Reference does not list these, so no linter knows of them; they stand in the roles above.',
    '',
    companionsTable(),
    '',
    '## Deploying',
    '',
    'Whoever runs `sam deploy` makes roles (`CAPABILITY_IAM`) and includes the command documents (`CAPABILITY_AUTO_EXPAND`). Nothing that is deployed can make or change a role.',
    '',
  ].join('\n');
}

const PAGE = fileURLToPath(new URL('../docs/permissions.md', import.meta.url));

async function main(): Promise<void> {
  const template = readTemplate();
  const commands = await bundledCommands();
  const stale = writtenPage(PAGE, permissionsPage(template, commands), 'permissions.ts');
  const problems = [...permissionProblems(template, commands), ...(stale === null ? [] : [stale])];
  for (const problem of problems) console.error(problem);
  if (problems.length > 0) process.exitCode = 1;
}

if (import.meta.main) await main();
