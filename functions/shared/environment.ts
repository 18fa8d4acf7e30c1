import type { Config } from '../core/config.ts';
import { InputError, quote } from '../core/errors.ts';
import { isolationRules } from '../core/network/isolation-rules.ts';
import { readSettings } from '../core/settings.ts';

/**
 * Reads the configuration from the environment of the function, which template.yaml fills from its parameters. Fails at the
 * start of the function, not in the middle of a response.
 */
export function readConfig(environment: Readonly<Record<string, string | undefined>>): Config {
  const config = readSettings(environment);
  const { first, last } = config.aclRuleNumbers;
  if (last < first) {
    throw new InputError(
      'FLOWCUT_ACL_LAST_RULE',
      `${quote(String(last))} is not a whole number from ${first} to 32766`,
    );
  }
  isolationRules(config.openings);
  return config;
}
