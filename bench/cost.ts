import { costOf } from '../scripts/cost.ts';
import { readTemplate } from '../scripts/template.ts';
import { atMost, type Section } from './section.ts';

export async function cost(): Promise<Section> {
  const template = readTemplate();
  const usual = await costOf(template, true);
  const silent = await costOf(template, false);
  const cents = (dollars: number): string => (dollars * 100).toFixed(3);
  return {
    name: 'cost',
    title: 'Cost',
    text: [
      'Counted in a run of the default incident in the embedded world and multiplied by the price list, as `npm run -s cost` does. A `Wait` state is one transition however long it lasts: the five days of a silent host cost what ninety seconds do.',
    ],
    tables: [
      {
        caption: 'One response, in US cents:',
        head: ['service', 'the agent answers', 'cents', 'the agent is silent', 'cents'],
        rows: [
          ...usual.lines.map(({ what, count, dollars }, index) => [
            what,
            count,
            cents(dollars),
            silent.lines[index]?.count ?? '',
            cents(silent.lines[index]?.dollars ?? 0),
          ]),
          ['in all', '', cents(usual.dollars), '', cents(silent.dollars)],
        ],
      },
    ],
    goals: [
      atMost('US cents per response, the agent answers', 1, usual.dollars * 100),
      atMost('US cents per response, the agent is silent', 1, silent.dollars * 100),
    ],
  };
}
