import type { Config } from '../core/config.ts';
import { isolationRules } from '../core/network/isolation-rules.ts';
import { readSettings } from '../core/settings.ts';

/**
 * Reads the configuration from the environment of the function, which template.yaml fills from its parameters. Fails at the
 * start of the function, not in the middle of a response.
 */
export function readConfig(environment: Readonly<Record<string, string | undefined>>): Config {
  const config = readSettings(environment);
  isolationRules(config.openings);
  // No rule of a template can compare two numbers, and a function that does not start contains nothing.
  const { first, last } = config.aclRuleNumbers;
  return { ...config, aclRuleNumbers: { first: Math.min(first, last), last: Math.max(first, last) } };
}
