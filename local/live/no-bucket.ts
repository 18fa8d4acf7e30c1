/** The bucket of our own flow logs is the stack's: only a deployed stack makes such logs. */
export const NO_BUCKET = { ownFlowLog: false, flowLogBucketArn: null } as const;
