import { placeholderOf, readDefinition, STEPS, statesOf } from '../../../local/definitions.ts';
import { ACCOUNT, REGION } from './clients.ts';

/** The definition as a deployment substitutes it: each placeholder becomes the ARN of its function. */
export function deployedDefinition(name: 'respond' | 'restore'): string {
  const definition = readDefinition(name);
  const tasks = [...statesOf(definition)].map(([, state]) => state).filter(({ Type }) => Type === 'Task');
  const arns = tasks.map((state) => {
    const placeholder = placeholderOf(state);
    return [`\${${placeholder}}`, `arn:aws:lambda:${REGION}:${ACCOUNT}:function:${STEPS[placeholder].name}`] as const;
  });
  return arns.reduce((text, [placeholder, arn]) => text.replaceAll(placeholder, arn), JSON.stringify(definition));
}
