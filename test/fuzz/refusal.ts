import { InputError } from '../../functions/core/errors.ts';

/** More than a person reads at once. */
const LONGEST = 600;

/** What is wrong with a refusal: it has to be one short sentence that names its field; nothing = it is sound. */
export function flawsOf({ message, field }: InputError): readonly string[] {
  const problem = message.slice(field.length + 2);
  return [
    ...(/[\p{Cc}\p{Zl}\p{Zp}]/u.test(message) ? ['it holds control characters'] : []),
    ...(message.isWellFormed() ? [] : ['it holds half a character']),
    ...(message.length <= LONGEST ? [] : [`it is ${message.length} characters long`]),
    ...(field !== '' && message.startsWith(`${field}: `) ? [] : ['it does not begin with its field']),
    ...(problem.trim() === '' ? ['it says nothing'] : []),
    // What it quotes may hold anything; its own words are one sentence.
    ...(/[.!?] +\p{Lu}/u.test(problem.replace(/"(?:[^"\\]|\\.)*"?/g, '""')) ? ['it is more than one sentence'] : []),
  ];
}

/** Runs a reader: its answer, or null where it refused soundly. Anything else it throws, or a flawed refusal, is a failure. */
export function soundly<T>(read: () => T): T | null {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    const flaws = flawsOf(error);
    if (flaws.length > 0)
      throw new Error(`the refusal ${JSON.stringify(error.message.slice(0, 200))}: ${flaws.join(', ')}`);
    return null;
  }
}
