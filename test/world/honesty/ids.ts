/** Ids and addresses of a built world, by number. */

const id = (prefix: string, number: number): string => `${prefix}-${number.toString(16).padStart(17, '0')}`;

export const ACCOUNT = '111122223333';
export const REGION = 'eu-central-1';
export const VPC = id('vpc', 0xa_01);
export const INSTANCE = id('i', 0xab_01);
/** The subnet in which neighbours of other subnets are. */
export const PEER_SUBNET = 8;

export const subnetId = (number: number): string => id('subnet', 0xb_00 + number);
export const interfaceId = (number: number): string => id('eni', 0xe_00 + number);
export const aclId = (number: number): string => id('acl', 0xd_00 + number);
export const groupId = (number: number): string => id('sg', 0xc_00 + number);
export const neighbourInterfaceId = (number: number): string => id('eni', 0xf_00 + number);
export const neighbourInstanceId = (number: number): string => id('i', 0xaf_00 + number);
export const routeTableId = (number: number): string => id('rtb', 0x1_00 + number);
export const prefixListId = id('pl', 0x5_00);

export const subnetCidr = (number: number): string => `10.0.${number + 1}.0/24`;
export const subnetCidr6 = (number: number): string => `2001:db8:10:${number + 1}::/64`;
export const addressIn = (subnet: number, host: number): string => `10.0.${subnet + 1}.${host}`;
export const address6In = (subnet: number, host: number): string => `2001:db8:10:${subnet + 1}::${host}`;
