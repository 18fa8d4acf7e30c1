import { existsSync, readFileSync } from 'node:fs';
import type { Reporter } from 'vitest/node';

/** The variable that names the file in which the simulation leaves its counts. */
export const SUMMARY = 'FLOWCUT_IAM_SUMMARY';

export interface Summary {
  /** Calls that functions made in the recorded runs, and calls that tests made themselves. */
  calls: number;
  unattributed: number;
  apis: number;
  /** What IAM was asked, each question of each function once. */
  authorisations: number;
  sets: number;
  /** Questions under all sets of parameters, with those of companions and keys. */
  asked: number;
  denied: number;
}

const summaryLine = ({ calls, unattributed, apis, authorisations, sets, asked, denied }: Summary): string =>
  `${calls} calls of ${apis} APIs (and ${unattributed} that tests made by hand), ${authorisations} authorisations, ` +
  `${sets} parameter sets, ${asked} simulated, ${denied} denied`;

/** Says before the counts of the tests what was simulated. */
export class SummaryReporter implements Reporter {
  onTestRunEnd(): void {
    const file = process.env[SUMMARY] ?? '';
    if (existsSync(file)) console.log(summaryLine(JSON.parse(readFileSync(file, 'utf8')) as Summary));
  }
}
