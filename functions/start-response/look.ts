import { EC2Client } from '@aws-sdk/client-ec2';
import { CLIENT_SETTINGS } from '../aws/client-settings.ts';
import { interfacesOf } from '../aws/network-interfaces.ts';
import type { NetworkInterfaceFacts } from '../core/model.ts';
import { timely } from '../shared/lambda.ts';
import { once } from '../shared/once.ts';

const client = once(() => timely(new EC2Client(CLIENT_SETTINGS)));

/** Loaded only where the deployment names VPCs: without, nothing here asks EC2. */
export const look = (
  instanceId: string,
  ec2: EC2Client | undefined = client(),
): Promise<readonly NetworkInterfaceFacts[]> => interfacesOf(ec2, instanceId);
