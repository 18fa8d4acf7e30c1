/** The network ACL of the default world. */
const ACL = 'acl-00000000000000d01';

const DETAIL = {
  eventSource: 'ec2.amazonaws.com',
  eventName: 'DeleteNetworkAclEntry',
  awsRegion: 'eu-central-1',
  recipientAccountId: '111122223333',
  userIdentity: { type: 'AssumedRole', arn: 'arn:aws:sts::111122223333:assumed-role/ops/stranger' },
  requestParameters: { networkAclId: ACL, egress: false, ruleNumber: 1 },
  responseElements: { _return: true },
};

/** What EventBridge delivers of CloudTrail where a stranger has deleted an entry of the ACL of the case; `change` is of its detail. */
export const trailEvent = (change: object = {}) => ({
  'detail-type': 'AWS API Call via CloudTrail',
  source: 'aws.ec2',
  detail: { ...DETAIL, ...change },
});
