import { describe, expect, it } from 'vitest';
import { consoleLinks, findingLink } from '../../../functions/core/report/console-links.ts';

const arnIn = (partition: string, region: string) =>
  `arn:${partition}:states:${region}:111122223333:execution:flowcut-respond:case-1-0a1b`;

describe('links into the console', () => {
  it.each([
    ['aws', 'eu-central-1', 'https://eu-central-1.console.aws.amazon.com'],
    ['aws-cn', 'cn-north-1', 'https://cn-north-1.console.amazonaws.cn'],
    ['aws-us-gov', 'us-gov-west-1', 'https://us-gov-west-1.console.amazonaws-us-gov.com'],
    ['aws-eusc', 'eusc-de-east-1', 'https://eusc-de-east-1.console.amazonaws-eusc.eu'],
  ])('in the partition %s go to its own console and Region', (partition, region, home) => {
    const arn = arnIn(partition, region);

    expect(consoleLinks(arn, 'flowcut-cases', 'case-0123456789abcdef0123')).toEqual({
      place: `account 111122223333, ${region}`,
      execution: `${home}/states/home?region=${region}#/v2/executions/details/${arn}`,
      case: `${home}/dynamodbv2/home?region=${region}#edit-item?itemMode=2&pk=CASE%23case-0123456789abcdef0123&sk=CASE&table=flowcut-cases`,
    });
  });

  it('are left out where there is no public console, no execution, or no case', () => {
    expect(consoleLinks(arnIn('aws-iso', 'us-iso-east-1'), 'cases', 'case-1')).toEqual({
      place: 'account 111122223333, us-iso-east-1',
      execution: null,
      case: null,
    });
    expect(consoleLinks(null, 'cases', 'case-1')).toEqual({ place: null, execution: null, case: null });
    expect(consoleLinks(arnIn('aws', 'eu-central-1'), 'cases', 'note-1').case).toBeNull();
  });

  it.each([
    'arn:aws:x',
    'arn:aws:states:::execution:a:b',
    'arn:aws:states:eu-central-1:111122223333:stateMachine:a',
    '',
  ])('are left out where %j names no execution: they would lead nowhere', (arn) => {
    expect(consoleLinks(arn, 'cases', 'case-0123456789abcdef0123')).toEqual({
      place: null,
      execution: null,
      case: null,
    });
  });
});

describe('the link to a finding', () => {
  it.each([
    ['eu-central-1', 'https://eu-central-1.console.aws.amazon.com'],
    ['cn-north-1', 'https://cn-north-1.console.amazonaws.cn'],
    ['us-gov-west-1', 'https://us-gov-west-1.console.amazonaws-us-gov.com'],
  ])('goes to the console of GuardDuty in %s', (region, home) => {
    expect(findingLink(region, '00c2a17e')).toBe(
      `${home}/guardduty/home?region=${region}#/findings?macros=current&fId=00c2a17e`,
    );
  });

  it('holds an id that is not only digits together', () => {
    expect(findingLink('eu-central-1', 'a b&c')).toMatch(/fId=a%20b%26c$/);
  });

  it.each([null, 'us-iso-east-1', 'us-isob-east-1', 'eusc-de-east-1'])('is left out for the Region %s', (region) => {
    expect(findingLink(region, '00c2a17e')).toBeNull();
  });
});
