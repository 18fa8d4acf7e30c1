/**
 * The template as CloudFormation sees it: after `sam package` and after the transforms AWS::Include and AWS::Serverless,
 * the latter by the translator that AWS publishes (a part of aws-sam-cli, see sam-tools.txt).
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { pythonWith } from './python-tools.ts';
import { isMap, type Node, type NodeMap, readTemplate, type Template, text } from './template.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

const readJson = (path: string): Node => JSON.parse(readFileSync(join(ROOT, path), 'utf8')) as Node;

/** The bucket that stands for the one of `sam package`. */
export const BUCKET = 'flowcut-artifacts';

/** Where `sam package` puts the bundle of a folder of dist/. */
const keyOf = (codeUri: string): string => `${codeUri.replace(/^dist\/|\/$/g, '')}.zip`;

/** What AWS::Include and `sam package` put in the place of files of this project. */
function withFiles(node: Node): Node {
  if (Array.isArray(node)) return node.map(withFiles);
  if (!isMap(node)) return node;
  const include = node['Fn::Transform'];
  if (isMap(include) && include['Name'] === 'AWS::Include' && isMap(include['Parameters'])) {
    return readJson(text(include['Parameters']['Location']));
  }
  const entries = Object.entries(node).map(([name, value]): readonly [string, Node] => {
    // JSON knows the long form alone.
    if (name === 'Fn::GetAtt' && typeof value === 'string') return [name, value.split('.')];
    if (name === 'CodeUri') return [name, { Bucket: BUCKET, Key: keyOf(text(value)) }];
    if (name === 'DefinitionUri') return ['Definition', readJson(text(value))];
    return [name, withFiles(value)];
  });
  return Object.fromEntries(entries);
}

/** The template of plain CloudFormation; null = no Python on this machine. */
export function transformed(source: Template = readTemplate()): Template | null {
  const python = pythonWith('sam', { leastMinor: 9 });
  if (python === null) return null;
  const packaged = withFiles(source as unknown as NodeMap);
  const { status, stdout, stderr } = spawnSync(python, [join(ROOT, 'scripts/sam-transform.py')], {
    encoding: 'utf8',
    input: JSON.stringify(packaged),
    maxBuffer: 64 * 1024 * 1024,
  });
  if (status !== 0) throw new Error(`the transform failed:\n${stderr}`);
  return JSON.parse(stdout) as Template;
}
