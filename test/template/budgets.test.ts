import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import * as settings from '../../functions/aws/client-settings.ts';
import { folderOf, parseTemplate, resourcesOf, type Template } from '../../scripts/template.ts';
import { PROJECT, TEMPLATE_TEXT, timeoutProblems } from './agreements.ts';

const { RESERVE_SECONDS, LAST_SECONDS } = settings;

/**
 * The longest that all pauses between the attempts of a call can take, in seconds: 0.1 s, doubled each time; after a
 * throttle 0.5 s, doubled each time. AWS SDKs and Tools Reference Guide, "Retry behavior", standard mode.
 */
const pauses = (attempts: number, base: number): number =>
  Array.from({ length: attempts - 1 }, (_, index) => Math.min(20, base * 2 ** index)).reduce((a, b) => a + b, 0);

/** A call that is never answered, and one that is throttled each time, in seconds. */
function callSeconds({ maxAttempts, requestHandler }: settings.ClientSettings): number {
  const attempt = Math.max(requestHandler.connectionTimeout, requestHandler.requestTimeout) / 1000;
  return Math.max(maxAttempts * attempt + pauses(maxAttempts, 0.1), pauses(maxAttempts, 0.5));
}

const isSettings = (value: unknown): value is settings.ClientSettings =>
  typeof value === 'object' && value !== null && 'maxAttempts' in value;

/** Lambda > call > attempt: a function has the time for one whole call to each service, and its reserve beside it. */
function budgetProblems(template: Template, given: Readonly<Record<string, unknown>> = settings): readonly string[] {
  return resourcesOf(template, 'AWS::Serverless::Function').flatMap(([id, resource]) => {
    const folder = folderOf(resource);
    const handler = readFileSync(`functions/${folder}/handler.ts`, 'utf8');
    // Its own files, and the shared ones that its handler names.
    const sources = [...PROJECT.sources].flatMap(([path, source]) => {
      const isOwn = path.startsWith(`functions/${folder}/`) || handler.includes(path.replace('functions/', '../'));
      return isOwn ? [source] : [];
    });
    const used = [...sources.join('\n').matchAll(/timely\(new \w+Client\((\w+)\)\)/g)].map(([, name = '']) => name);
    const seconds = Number(resource.Properties['Timeout']) - RESERVE_SECONDS;
    return [...new Set(used)].flatMap((name) => {
      const each = given[name];
      if (!isSettings(each)) return [`${id}: ${name} are no settings of a client`];
      const needed = callSeconds(each);
      return needed <= seconds
        ? []
        : [`${id} has ${seconds} s for its work, a whole call with ${name} may take ${needed.toFixed(1)} s`];
    });
  });
}

describe('the time of', () => {
  it('every function holds one whole call of each of its clients, and its reserve', () => {
    expect(budgetProblems(PROJECT.template)).toEqual([]);
  });

  it('a function that is too short for that is noticed, and so are settings that are too patient', () => {
    const shorter = parseTemplate(TEMPLATE_TEXT.replaceAll('Timeout: 60', 'Timeout: 40'));
    const patient = { ...settings, HOST_SETTINGS: { ...settings.HOST_SETTINGS, maxAttempts: 9 } };

    expect(budgetProblems(shorter)).toContain(
      'DenyAtNaclFunction has 30 s for its work, a whole call with CLIENT_SETTINGS may take 33.1 s',
    );
    expect(budgetProblems(PROJECT.template, patient)).toContainEqual(expect.stringMatching(/^CutOnHostFunction has/));
  });

  it('every state is that of its function, which counts from its own', () => {
    expect(timeoutProblems(PROJECT)).toEqual([]);
  });

  it('the reserve is more than one attempt at the case table, which is told what could not be done', () => {
    const { connectionTimeout, requestTimeout } = settings.CLIENT_SETTINGS.requestHandler;

    expect((RESERVE_SECONDS - LAST_SECONDS) * 1000).toBeGreaterThan(connectionTimeout + requestTimeout);
  });

  it('every attempt ends in an error, not in a warning', () => {
    const all = Object.values(settings).filter(isSettings);

    expect(all.length).toBeGreaterThan(2);
    expect(all.map(({ requestHandler }) => requestHandler.throwOnRequestTimeout)).toEqual(all.map(() => true));
  });

  it('a search of logs is longer than that of other calls', () => {
    const { CLIENT_SETTINGS, SEARCH_SETTINGS } = settings;

    expect(SEARCH_SETTINGS.requestHandler.requestTimeout).toBeGreaterThan(
      CLIENT_SETTINGS.requestHandler.requestTimeout,
    );
  });
});

describe('every client of the functions', () => {
  const clients = [...PROJECT.sources].flatMap(([path, source]) => {
    const code = source.replaceAll(/^\s*\*.*$/gm, '');
    return [...code.matchAll(/(\w+)\(new (\w+)Client\((\w*)\)\)|new (\w+)Client\(/g)].map(
      ([, holder = 'nothing', service, given = '', bare]) => ({ path, holder, service: service ?? bare, given }),
    );
  });

  it('is held to the deadline: its work stops in time for what is said of it', () => {
    // Told in the reserve too: people, and the case.
    const last: readonly string[] = ['SNS', 'DynamoDB'];
    const loose = clients.filter(
      ({ service = '', holder }) => holder !== (last.includes(service) ? 'toTheLast' : 'timely'),
    );

    expect(clients.length).toBeGreaterThan(PROJECT.folders.length);
    expect(clients.map(({ path }) => path)).toEqual(
      expect.arrayContaining(['functions/shared/later-clients.ts', 'functions/start-response/look.ts']),
    );
    expect(loose).toEqual([]);
  });

  it('waits as its service needs', () => {
    const settingsOf: Readonly<Record<string, string>> = { SSM: 'HOST_SETTINGS', CloudWatchLogs: 'SEARCH_SETTINGS' };
    const wrong = clients.filter(({ service = '', given }) => given !== (settingsOf[service] ?? 'CLIENT_SETTINGS'));

    expect(wrong).toEqual([]);
  });
});
