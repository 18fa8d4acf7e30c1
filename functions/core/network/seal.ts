import type { AclEntry } from '../model.ts';

/**
 * Does an ACL with these entries let no packet pass, both ways and in both families? A custom ACL "denies all inbound and
 * outbound traffic until you add rules", and the default deny, which is not listed, cannot be removed.
 * https://docs.aws.amazon.com/vpc/latest/userguide/custom-network-acl.html
 */
export const letsNothingPass = ({ entries }: { readonly entries: readonly AclEntry[] }): boolean =>
  entries.every(({ action }) => action === 'deny');
