import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pathToFileURL } from 'node:url';
import { type BuildOptions, build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { environmentCredentials } from '../../scripts/environment-credentials.mjs';
import { pruneAwsSchemas, rewriteComputedKeys } from '../../scripts/prune-aws-schemas.mjs';

const SDK = 'node_modules/@aws-sdk';

/** Stands for a step: fifteen EC2 commands and a table, sent through whatever request handler it is given. */
const STEP = `
import * as ec2 from '@aws-sdk/client-ec2';
import { DynamoDBClient, GetItemCommand, PutItemCommand, QueryCommand, UpdateItemCommand } from '@aws-sdk/client-dynamodb';

export const commands = {
  describeInstances: (input) => new ec2.DescribeInstancesCommand(input),
  describeNetworkInterfaces: (input) => new ec2.DescribeNetworkInterfacesCommand(input),
  describeSecurityGroups: (input) => new ec2.DescribeSecurityGroupsCommand(input),
  describeSecurityGroupRules: (input) => new ec2.DescribeSecurityGroupRulesCommand(input),
  describeNetworkAcls: (input) => new ec2.DescribeNetworkAclsCommand(input),
  describeRouteTables: (input) => new ec2.DescribeRouteTablesCommand(input),
  describeSubnets: (input) => new ec2.DescribeSubnetsCommand(input),
  createNetworkAclEntry: (input) => new ec2.CreateNetworkAclEntryCommand(input),
  deleteNetworkAclEntry: (input) => new ec2.DeleteNetworkAclEntryCommand(input),
  modifyNetworkInterfaceAttribute: (input) => new ec2.ModifyNetworkInterfaceAttributeCommand(input),
  createSecurityGroup: (input) => new ec2.CreateSecurityGroupCommand(input),
  revokeSecurityGroupEgress: (input) => new ec2.RevokeSecurityGroupEgressCommand(input),
  deleteSecurityGroup: (input) => new ec2.DeleteSecurityGroupCommand(input),
  createTags: (input) => new ec2.CreateTagsCommand(input),
  createSnapshots: (input) => new ec2.CreateSnapshotsCommand(input),
};
export const network = (requestHandler) => new ec2.EC2Client({ requestHandler, maxAttempts: 1 });
export const table = (requestHandler) => new DynamoDBClient({ requestHandler, maxAttempts: 1 });
export const tableCommands = [GetItemCommand, PutItemCommand, QueryCommand, UpdateItemCommand];
`;

interface Step {
  commands: Record<string, (input: object) => object>;
  network(requestHandler: object): { send(command: object): Promise<unknown> };
}

const INSTANCE_XML = `<?xml version="1.0"?><DescribeInstancesResponse><reservationSet><item><instancesSet><item>
  <instanceId>i-00000000000000001</instanceId><instanceState><code>16</code><name>running</name></instanceState>
  <networkInterfaceSet><item><networkInterfaceId>eni-00000000000000001</networkInterfaceId>
  <groupSet><item><groupId>sg-00000000000000001</groupId></item></groupSet></item></networkInterfaceSet>
  </item></instancesSet></item></reservationSet></DescribeInstancesResponse>`;

const INPUTS: Record<string, object> = {
  describeInstances: {
    InstanceIds: ['i-00000000000000001'],
    Filters: [{ Name: 'vpc-id', Values: ['vpc-1', 'vpc-2'] }],
  },
  createNetworkAclEntry: {
    NetworkAclId: 'acl-00000000000000001',
    RuleNumber: 1,
    Protocol: '-1',
    RuleAction: 'deny',
    Egress: true,
    CidrBlock: '198.51.100.7/32',
  },
  modifyNetworkInterfaceAttribute: {
    NetworkInterfaceId: 'eni-00000000000000001',
    Groups: ['sg-00000000000000001'],
    ConnectionTrackingSpecification: { TcpEstablishedTimeout: 60 },
  },
  revokeSecurityGroupEgress: {
    GroupId: 'sg-00000000000000001',
    IpPermissions: [{ IpProtocol: '-1', Ipv6Ranges: [{ CidrIpv6: '::/0' }] }],
  },
  createSnapshots: {
    InstanceSpecification: { InstanceId: 'i-00000000000000001', ExcludeBootVolume: false },
    TagSpecifications: [{ ResourceType: 'snapshot', Tags: [{ Key: 'case', Value: 'one' }] }],
  },
};

/** Sends every input and returns what went over the wire, how it was signed for, and what came back. */
async function exchange({ commands, network }: Step) {
  const wire: { body: string; credential: string | undefined }[] = [];
  const answers: unknown[] = [];
  const client = network({
    handle({ body, headers }: { body: string; headers: Record<string, string> }) {
      wire.push({ body, credential: /Credential=([^/]+)/.exec(headers['authorization'] ?? '')?.[1] });
      const text = body.includes('Action=DescribeInstances')
        ? INSTANCE_XML
        : '<Response><return>true</return></Response>';
      return Promise.resolve({ response: { statusCode: 200, headers: {}, body: Readable.from([Buffer.from(text)]) } });
    },
  });
  for (const [name, input] of Object.entries(INPUTS)) {
    const command = commands[name];
    if (command === undefined) throw new Error(`the step has no command ${name}`);
    answers.push(await client.send(command(input)));
  }
  return { wire, answers };
}

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'flowcut-build-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function bundle(contents: string, options: BuildOptions = {}) {
  const name = `bundle-${Math.random().toString(36).slice(2)}.mjs`;
  const outfile = join(folder, name);
  await build({
    stdin: { contents, resolveDir: process.cwd(), loader: 'js' },
    outfile,
    bundle: true,
    platform: 'node',
    target: 'node24',
    format: 'esm',
    mainFields: ['module', 'main'],
    minify: true,
    keepNames: true,
    banner: { js: "import{createRequire}from'node:module';const require=createRequire(import.meta.url);" },
    logLevel: 'silent',
    ...options,
  });
  const bytes = (await readFile(outfile)).length;
  return { bytes, load: async <T>() => (await import(pathToFileURL(outfile).href)) as T };
}

describe('plain keys for schemas', () => {
  it('writes constants in where they are keys and nowhere else', () => {
    const source =
      'const _xN = "xmlName";\nconst _m = "Min";\nvar a = [[_m], { [_xN]: _m,\n        [_m] : 1 }];\nx ? [_m] : 2;';

    const { code, rewritten, unresolved } = rewriteComputedKeys(source);

    expect(code).toContain('var a = [[_m], { "xmlName": _m,\n        "Min" : 1 }];\nx ? [_m] : 2;');
    expect({ rewritten, unresolved }).toEqual({ rewritten: 2, unresolved: [] });
  });

  it('leaves a key alone that is no constant of the file, and names it', () => {
    const { code, unresolved } = rewriteComputedKeys('var a = { [elsewhere]: 1 };');

    expect(code).toBe('var a = { [elsewhere]: 1 };');
    expect(unresolved).toEqual(['elsewhere']);
  });

  it.each(['client-ec2', 'client-ssm', 'client-dynamodb'])(
    'keeps the meaning of every schema of %s',
    async (client) => {
      const schemas = `export * from './${SDK}/${client}/dist-es/schemas/schemas_0.js';`;
      const shape = (module: object) =>
        JSON.stringify(module, (_, value) => (typeof value === 'function' ? String(value.name) : (value as unknown)));

      const [before, after] = await Promise.all([
        bundle(schemas, { minify: false }),
        bundle(schemas, { minify: false, plugins: [pruneAwsSchemas()] }),
      ]);

      const [one, other] = [shape(await before.load<object>()), shape(await after.load<object>())];
      expect(one.length).toBeGreaterThan(1000);
      expect(other === one).toBe(true);
    },
  );

  it('fails the build when nothing could be rewritten in a client that needs it', async () => {
    const contents = "export { EC2Client } from '@aws-sdk/client-ec2';";

    const commonJs = bundle(contents, { mainFields: ['main', 'module'], plugins: [pruneAwsSchemas()] });

    await expect(commonJs).rejects.toThrow(/nothing was rewritten in @aws-sdk\/client-ec2/);
  });
});

describe('a bundled step', () => {
  it('says and understands the same, pruned or not, and signs with the credentials of the environment', async () => {
    const [plain, pruned] = await Promise.all([
      bundle(STEP),
      bundle(STEP, { plugins: [pruneAwsSchemas(), environmentCredentials()] }),
    ]);

    const [expected, actual] = [await exchange(await plain.load<Step>()), await exchange(await pruned.load<Step>())];

    expect(actual).toEqual(expected);
    expect(actual.wire).toHaveLength(Object.keys(INPUTS).length);
    expect(new Set(actual.wire.map(({ credential }) => credential))).toEqual(new Set(['AKIAIOSFODNN7EXAMPLE']));
    expect(actual.answers[0]).toMatchObject({
      Reservations: [{ Instances: [{ InstanceId: 'i-00000000000000001', State: { Name: 'running' } }] }],
    });
  });

  it('with fifteen EC2 commands and a table stays under 320 kB', async () => {
    const { bytes } = await bundle(STEP, { plugins: [pruneAwsSchemas(), environmentCredentials()] });

    expect(bytes).toBeLessThan(320_000);
  });
});
