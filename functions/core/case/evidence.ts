/** One thing that was done to keep the evidence, with what is needed to undo it. Recorded before it is done. */
export type Preserved =
  | { readonly kind: 'auto-scaling'; readonly groupName: string; readonly action: 'standby' | 'detach' }
  | {
      readonly kind: 'target';
      readonly targetGroupArn: string;
      readonly targetId: string;
      readonly port: number | null;
    }
  | { readonly kind: 'classic-load-balancer'; readonly loadBalancerName: string }
  | { readonly kind: 'protection'; readonly attribute: ProtectionAttribute; readonly before: boolean }
  | { readonly kind: 'shutdown-behavior'; readonly before: string }
  | { readonly kind: 'delete-on-termination'; readonly deviceName: string; readonly volumeId: string }
  | { readonly kind: 'tags' }
  | { readonly kind: 'snapshots' };

export type ProtectionAttribute = 'disableApiTermination' | 'disableApiStop';

/** The name of a preserved thing: its key in the case table and its name in reports. */
export function preservedName(preserved: Preserved): string {
  switch (preserved.kind) {
    case 'auto-scaling':
      return `Auto Scaling group ${preserved.groupName}`;
    case 'target':
      return `target group ${targetGroupName(preserved.targetGroupArn)} target ${preserved.targetId}${preserved.port === null ? '' : `:${preserved.port}`}`;
    case 'classic-load-balancer':
      return `classic load balancer ${preserved.loadBalancerName}`;
    case 'protection':
      return preserved.attribute === 'disableApiTermination' ? 'termination protection' : 'stop protection';
    case 'shutdown-behavior':
      return 'shutdown behaviour';
    case 'delete-on-termination':
      return `delete on termination of ${preserved.deviceName}`;
    case 'tags':
      return 'tags';
    case 'snapshots':
      return 'snapshots';
    default:
      return preserved satisfies never;
  }
}

/** `arn:aws:elasticloadbalancing:...:targetgroup/NAME/ID` */
const targetGroupName = (arn: string): string => arn.split('/')[1] ?? arn;

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
