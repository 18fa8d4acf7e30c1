/** The files under documents/ as they are. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { ATTACKER, run, SCRIPT } from '../lab.ts';
import { liveShell, scenario, still } from '../scenario.ts';

const root = new URL('../../../', import.meta.url).pathname;

still('shellcheck has nothing to say', () => {
  run(['shellcheck', '-s', 'sh', SCRIPT, `${root}scripts/kernel-lab-setup.sh`]);
});

still('the documents hold the scripts as they are', () => {
  run([process.execPath, `${root}scripts/build-documents.ts`, '--check']);
});

still('the Windows script finds the number of an RDP session, whatever its user is called', () => {
  const text = readFileSync(`${root}documents/flowcut-host-windows.ps1`, 'utf8');
  const pattern = new RegExp(/-notmatch '(\^\[ >\]rdp-tcp.*?)'/.exec(text)?.[1] ?? '(?!)');
  const session = (line: string): string | undefined => pattern.exec(line)?.[1];
  assert.equal(session('>rdp-tcp#3         Administrator             2  Active'), '2');
  assert.equal(session(' rdp-tcp#12        7                        14  Aktiv   rdpwd'), '14');
  assert.equal(session(' rdp-tcp                                 65536  Listen'), undefined);
  assert.equal(session(' services                                    0  Disc'), undefined);
});

scenario('an agent from before ENV_VAR writes the parameters into the document itself', async (lab) => {
  await liveShell(lab);
  const document = JSON.parse(readFileSync(`${root}documents/flowcut-host-linux.json`, 'utf8')) as {
    parameters: Record<string, { default?: string; allowedPattern: string }>;
    mainSteps: [{ inputs: { runCommand: string[] } }];
  };
  const given: Record<string, string> = { Verb: 'cut', CaseId: 'case-1', RemoteAddresses: ATTACKER };
  const lines = document.mainSteps[0].inputs.runCommand.join('\n').replaceAll(/\{\{(\w+)\}\}/g, (_, name: string) => {
    const parameter = document.parameters[name];
    const value = given[name] ?? parameter?.default ?? '';
    assert.match(value, new RegExp(parameter?.allowedPattern ?? '(?!)'));
    return value;
  });
  const { verdict } = lab.document('cut', lines);
  assert.deepEqual([verdict.survived, verdict.firewall, verdict.errors], [0, 'nftables', []]);
});
