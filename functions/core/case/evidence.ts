/** What became of one measure. `not-possible`: the service has no such thing for this instance. */
export interface EvidenceItem {
  readonly item: string;
  readonly outcome: 'done' | 'already' | 'failed' | 'not-possible';
  readonly reason?: string;
}

/** Tags for people; flowcut itself reads its own table. */
export const CASE_TAG = 'flowcut:case';

/** What two runs did: a measure that an earlier run took stays taken when a later one finds nothing left to do. */
export function mergeEvidence(earlier: readonly EvidenceItem[], now: readonly EvidenceItem[]): readonly EvidenceItem[] {
  const merged = new Map(earlier.map((entry) => [entry.item, entry]));
  for (const entry of now) {
    const isNews = entry.outcome !== 'already' || !merged.has(entry.item);
    if (isNews) merged.set(entry.item, entry);
  }
  return [...merged.values()];
}
