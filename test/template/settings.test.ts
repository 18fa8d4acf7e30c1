import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { allSettings, type Setting } from '../../functions/core/settings.ts';
import { SETTINGS_PAGE, settingsPage } from '../../scripts/settings-doc.ts';
import { isMap, type Parameter, parseTemplate, readTemplate, type Template } from '../../scripts/template.ts';
import { TEMPLATE_TEXT } from './agreements.ts';

const texts = (values: readonly (string | number)[] = []): readonly string[] => values.map(String).sort();

/** Where a parameter and its setting differ. */
function differences({ fallback, bounds, parameter }: Setting<unknown>, declared: Parameter): readonly string[] {
  const found = { default: String(declared.Default ?? ''), least: declared.MinValue, most: declared.MaxValue };
  const wanted = {
    default: fallback ?? '',
    least: bounds.kind === 'whole-number' ? bounds.least : undefined,
    most: bounds.kind === 'whole-number' ? bounds.most : undefined,
  };
  const choices = bounds.kind === 'choice' ? texts(bounds.of) : [];
  return [
    ...(JSON.stringify(found) === JSON.stringify(wanted) ? [] : [`${parameter} has ${JSON.stringify(found)}`]),
    ...(texts(declared.AllowedValues).join() === choices.join()
      ? []
      : [`${parameter} allows ${texts(declared.AllowedValues).join()}`]),
  ];
}

/** template.yaml <-> functions/core/settings.ts */
function settingProblems({ Parameters, Globals }: Template): readonly string[] {
  const environment = isMap(Globals['Function']) ? Globals['Function']['Environment'] : undefined;
  const variables = isMap(environment) && isMap(environment['Variables']) ? environment['Variables'] : {};
  return allSettings().flatMap((setting) => {
    const { parameter, variable } = setting;
    if (parameter === null) return [];
    const declared = Parameters[parameter];
    if (declared === undefined) return [`${parameter} is no parameter of template.yaml`];
    const filled = variables[variable];
    const isFilled =
      isMap(filled) && (filled['Ref'] === parameter || JSON.stringify(filled).includes(`"${parameter}"`));
    return [...(isFilled ? [] : [`${variable} is not filled from ${parameter}`]), ...differences(setting, declared)];
  });
}

const changed = (from: string, to: string): Template => {
  expect(TEMPLATE_TEXT).toContain(from);
  return parseTemplate(TEMPLATE_TEXT.replace(from, to));
};

describe('the table of settings and the template', () => {
  it('have the same parameters, with the same defaults and bounds, by way of the same variables', () => {
    expect(settingProblems(readTemplate())).toEqual([]);
  });

  it.each([
    ['a bound', 'MaxValue: 180', 'MaxValue: 179', /^HostCutBudgetSeconds has .*179/],
    ['a default', 'Default: standby', 'Default: detach', /^AutoScaling has .*detach/],
    ['a choice', 'AllowedValues: [standby, detach]', 'AllowedValues: [standby, detach, keep]', /^AutoScaling allows /],
    ['a variable', 'FLOWCUT_MODE: !Ref Mode', 'FLOWCUT_MODE: contain', /^FLOWCUT_MODE is not filled from Mode$/],
    ['a parameter', '  AutoScaling:\n    Type', '  Autoscaling:\n    Type', /^AutoScaling is no parameter/],
  ])('notice %s that differs', (_, from, to, problem) => {
    expect(settingProblems(changed(from, to))).toContainEqual(expect.stringMatching(problem));
  });

  it('are what the page of settings says', () => {
    expect(readFileSync(SETTINGS_PAGE, 'utf8')).toBe(settingsPage());
    expect(settingsPage()).toContain('| `HostCutBudgetSeconds` |');
  });
});
