import { Address4, Address6 } from 'ip-address';
import { AwsError } from './errors.ts';

/** The canonical form of a CIDR (`100.68.0.18/18` → `100.68.0.0/18`), as EC2 stores it. */
export function canonicalCidr(cidr: string, family: 'ipv4' | 'ipv6'): string {
  const Address = family === 'ipv4' ? Address4 : Address6;
  if (!/^[0-9a-fA-F.:]+\/\d{1,3}$/.test(cidr) || !Address.isValid(cidr)) {
    throw new AwsError('InvalidParameterValue', `CIDR block ${cidr} is malformed`);
  }
  const address = new Address(cidr);
  return `${address.startAddress().correctForm()}/${address.subnetMask}`;
}
