import { errorCode } from '../aws/errors.ts';

/**
 * The target group, load balancer or Auto Scaling group is there no more. Auto Scaling has no code of its own for that.
 * https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DescribeTargetHealth.html
 * https://docs.aws.amazon.com/elasticloadbalancing/2012-06-01/APIReference/API_RegisterInstancesWithLoadBalancer.html
 */
export const saysGone = (error: unknown): boolean =>
  /^(TargetGroup|LoadBalancer|AccessPoint)NotFound(Exception)?$/.test(errorCode(error)) ||
  (error instanceof Error && error.message.startsWith('AutoScalingGroup name not found'));
