import { errorText } from '../aws/errors.ts';
import { publish } from '../aws/notifications.ts';
import { consoleLinks } from '../core/report/console-links.ts';
import { restoreNotification, startedByLines } from '../core/report/restore-notification.ts';
import {
  isWrongInput,
  type RestoreEnd,
  type RestoreReport,
  restoreReport,
  shortRestoreReport,
} from '../core/report/restore-report.ts';
import { tell } from '../shared/timeline.ts';
import type { Tools } from '../shared/toolbox.ts';

type RestoreReportTools = Tools<'sns' | 'cases'>;

/** What the state machine passes: the record at its end, and the ARN of the execution. */
export interface RestoreReportRequest {
  readonly record: RestoreEnd;
  readonly execution: string;
}

/**
 * Report the restore: the one path that every end takes, failures included. People hear of each restore, and of a refused one
 * too: it changed nothing, but somebody has tried to lift a containment, and findings never start one. Only wrong input is
 * not told: it names no case, and whoever typed it sees the sentence.
 */
export async function reportRestore(
  tools: RestoreReportTools,
  { record, execution }: RestoreReportRequest,
): Promise<RestoreReport> {
  const report = restoreReport(record, execution);
  if (isWrongInput(record)) return report;
  const unpublished = await tellPeople(tools, report);
  const { caseId, kind, reason, failed, startedBy } = report;
  // A timeline has a case.
  if (caseId?.startsWith('case-') === true) {
    const what = [`${kind}: ${reason}`, ...startedByLines(startedBy), ...unpublished].join('; ');
    await tell(tools, caseId, 'report-restore', what);
  }
  // Counted by its outcome: an alarm tells of one that is not whole, also where the message got lost.
  tools.log.info('restore', { caseId, outcome: kind, failed: failed.length, reason });
  return shortRestoreReport(report);
}

/** Sends the message; where it cannot be sent, says so in a sentence for the timeline. */
async function tellPeople(tools: RestoreReportTools, report: RestoreReport): Promise<readonly string[]> {
  const { topicArn } = tools.config;
  if (topicArn === null) return [];
  const links = consoleLinks(report.startedBy.execution, tools.cases.name, report.caseId);
  try {
    await publish(tools.sns, topicArn, restoreNotification(report, links));
    return [];
  } catch (error) {
    // The report stands in the execution's output as well; failing here would hide it behind an error.
    tools.log.warn('the restore could not be published', { error: errorText(error) });
    return [`it could not be published: ${errorText(error)}`];
  }
}
