import type { CaseDocument } from '../core/case/case.ts';
import type { VerdictQuestion } from '../core/verdict/verdict.ts';
import { heardBefore, LISTEN_SECONDS, listen, readsBucket } from './listening.ts';
import { judgeStanding, type Standing } from './standing.ts';
import type { Tools } from './toolbox.ts';

/**
 * Goes on where the look before has ended, so that a look costs the files that are new. Before a case is called contained, all is
 * read once more: a file that came late counts.
 */
export async function listenOn(
  tools: Tools<'logs' | 'bucket' | 'cases'>,
  document: CaseDocument,
  standing: Standing,
): Promise<VerdictQuestion['witness']> {
  const earlier = readsBucket(tools, standing) ? await heardBefore(tools, document) : null;
  if (earlier === null) return listen(tools, document, standing, LISTEN_SECONDS.verify);
  const word = await listen(tools, document, standing, LISTEN_SECONDS.verify / 2, earlier);
  if (judgeStanding(tools.config, document, standing, word).kind !== 'contained') return word;
  return listen(tools, document, standing, LISTEN_SECONDS.verify / 2);
}
