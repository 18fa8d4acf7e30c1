import { AwsError } from '../errors.ts';
import type { NetworkInterface } from '../shapes.ts';

/**
 * What a service provider operates, only it may change.
 * https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/amazon-ec2-managed-instances.html
 */
export function refuseManaged(resource: { Operator?: { Managed?: boolean; Principal?: string } }): void {
  if (resource.Operator?.Managed === true) {
    throw new AwsError(
      'OperationNotPermitted',
      `This resource is managed by ${resource.Operator.Principal ?? 'a service provider'} and cannot be modified directly.`,
    );
  }
}

/** Interfaces that a service made in the account (NAT gateways, endpoints, load balancers, ECS awsvpc and branch interfaces). */
const SERVICE_INTERFACES: ReadonlySet<string> = new Set(['branch', 'nat_gateway', 'vpc_endpoint', 'lambda']);

/** https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/requester-managed-eni.html */
export function refuseUnmodifiable(eni: NetworkInterface): void {
  refuseManaged(eni);
  if (eni.RequesterManaged === true || SERVICE_INTERFACES.has(eni.InterfaceType ?? 'interface')) {
    throw new AwsError(
      'AuthFailure',
      `You do not have permission to access the specified resource ${eni.NetworkInterfaceId}.`,
    );
  }
}
