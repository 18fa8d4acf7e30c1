import { InputError, quote } from '../functions/core/errors.ts';
import type { Parameter, Template } from '../scripts/template.ts';
import { nearMiss } from './near-miss.ts';

/** Values of the template's parameters by name, as text: so they reach CloudFormation, numbers too. */
export type Parameters = Readonly<Record<string, string>>;

/**
 * Parameters of measures that the template does not have yet, with the value that asks for none of them: a file that turns
 * them off means what happens anyway, and one that turns them on is refused.
 */
const MEASURES_TO_COME: Readonly<Record<string, string>> = {
  OwnFlowLog: 'off',
  SealSubnet: 'never',
  VerifyFindings: 'off',
  CloseCredentials: 'never',
  CloseMetadata: 'never',
  BlockDomains: 'never',
};

/**
 * Reads a `--parameters` file: what somebody chose in place of the template's defaults, checked as CloudFormation checks it.
 *
 * @example parseParameters(template, { Mode: 'contain', AclFirstRule: 10 }) // { Mode: 'contain', AclFirstRule: '10' }
 */
export function parseParameters({ Parameters: known }: Pick<Template, 'Parameters'>, json: unknown): Parameters {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    throw new InputError('parameters', `${quote(json)} is not an object of the template's parameters by name`);
  }
  return Object.fromEntries(
    Object.entries(json)
      .filter(([name, value]: [string, unknown]) => Object.hasOwn(known, name) || !isNoMeasure(name, value))
      .map(([name, value]: [string, unknown]) => [name, parameterText(known, name, value)]),
  );
}

/** Does the value turn off a measure that the template does not have yet? One that turns it on is refused. */
function isNoMeasure(name: string, value: unknown): boolean {
  const none = Object.hasOwn(MEASURES_TO_COME, name) ? MEASURES_TO_COME[name] : undefined;
  if (none === undefined) return false;
  if (value === none) return true;
  throw new InputError(
    `parameters.${name}`,
    `${quote(value)} asks for what this version does not do; it takes ${quote(none)} alone`,
  );
}

function parameterText(known: Template['Parameters'], name: string, value: unknown): string {
  const parameter = Object.hasOwn(known, name) ? known[name] : undefined;
  const field = /^\w{1,60}$/.test(name) ? `parameters.${name}` : `parameters[${quote(name)}]`;
  if (parameter === undefined) {
    const meant = nearMiss(name, Object.keys(known));
    const advice = meant === null ? '' : `; did you mean ${meant}?`;
    throw new InputError(field, `is no parameter of the template${advice}`);
  }
  if (typeof value !== 'string' && typeof value !== 'number') {
    throw new InputError(field, `${quote(value)} is neither text nor a number`);
  }
  const text = String(value);
  const problem = problemOf(parameter, text);
  if (problem !== null) throw new InputError(field, `${quote(value)} ${problem}`);
  return text;
}

const inText = (values: readonly (string | number)[]): string => values.map((one) => quote(one)).join(', ');

/** What CloudFormation would not take; null = it takes the value. */
function problemOf(parameter: Parameter, text: string): string | null {
  const { AllowedValues, ConstraintDescription } = parameter;
  if (AllowedValues !== undefined && !AllowedValues.some((value) => String(value) === text)) {
    return `is not one of ${inText(AllowedValues)}`;
  }
  const problem = parameter.Type === 'Number' ? numberProblem(parameter, text) : textProblem(parameter, text);
  if (problem === null || ConstraintDescription === undefined) return problem;
  return `${problem}; it has to be ${ConstraintDescription.replace(/\.$/, '')}`;
}

function numberProblem({ MinValue, MaxValue }: Parameter, text: string): string | null {
  const value = Number(text);
  if (!/^-?\d+(\.\d+)?$/.test(text)) return 'is not a number';
  if (MinValue !== undefined && value < MinValue) return `is too small, the least is ${MinValue}`;
  if (MaxValue !== undefined && value > MaxValue) return `is too large, the most is ${MaxValue}`;
  return null;
}

/**
 * A pattern has to fit the whole value, and of a list each entry.
 * https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/parameters-section-structure.html
 */
function textProblem({ Type, AllowedPattern, MinLength, MaxLength }: Parameter, text: string): string | null {
  const parts = Type === 'CommaDelimitedList' ? text.split(',').map((part) => part.trim()) : [text];
  const wrong = AllowedPattern === undefined ? undefined : parts.find((part) => !fits(AllowedPattern, part));
  if (wrong !== undefined) return parts.length === 1 ? 'does not fit' : `holds ${quote(wrong)}, which does not fit`;
  if (MinLength !== undefined && text.length < MinLength) return `is too short, the least is ${MinLength} characters`;
  if (MaxLength !== undefined && text.length > MaxLength) return `is too long, the most is ${MaxLength} characters`;
  return null;
}

const fits = (pattern: string, text: string): boolean => new RegExp(`^(?:${pattern})$`).test(text);
