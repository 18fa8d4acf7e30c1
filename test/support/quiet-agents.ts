import { parseWorld, type WorldFile, type WorldHost } from '../../local/world/parse-world.ts';

/** A world whose agents hold no connection of their own unless the file says so: most worlds here are about other flows. */
export function parseQuietWorld(json: unknown): WorldFile {
  return parseWorld(quietAgents(json as Partial<WorldFile>));
}

function quietAgents(json: Partial<WorldFile>): object {
  const ids = (json.InstanceInformationList ?? []).map((one) => one.InstanceId).filter((id) => id.startsWith('i-'));
  const hosts: readonly Partial<WorldHost>[] = json.Hosts ?? [];
  const given = hosts.map((one) => ({ AgentConnection: false, ...one }));
  const others = ids.filter((id) => given.every((one) => one.InstanceId !== id));
  return { ...json, Hosts: [...given, ...others.map((InstanceId) => ({ InstanceId, AgentConnection: false }))] };
}
