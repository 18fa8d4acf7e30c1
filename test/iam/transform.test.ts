import { describe, expect, it } from 'vitest';
import { readTemplate } from '../../scripts/template.ts';
import { transformed } from '../../scripts/transformed.ts';
import { parameterSets } from './support/parameters.ts';
import { functionsOf } from './support/policies.ts';

const source = readTemplate();
const deployed = transformed(source);

describe.skipIf(deployed === null)('the SAM transform', () => {
  it.each(Object.entries(parameterSets(source)))('leaves every role as the template has it with %s', (_, values) => {
    expect(deployed && functionsOf(deployed, values)).toEqual(functionsOf(source, values));
  });
});
