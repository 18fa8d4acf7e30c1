import { describe, expect, it } from 'vitest';
import { isThrottle } from '../../functions/aws/errors.ts';
import { createDeny } from '../../functions/aws/network-acls.ts';
import { type Bench, defaultWorld, ids, onBench, refusedBy } from '../support/bench.ts';

describe('a deny that EC2 has no room for', () => {
  const place = { aclId: ids.acl, egress: true, ruleNumber: 1 };
  const refusedOnce = (bench: Bench): void => {
    let refused = false;
    bench.fail(
      ({ call }) => call === 'CreateNetworkAclEntry' && !refused,
      () => {
        refused = true;
        return refusedBy('RequestLimitExceeded')();
      },
    );
  };

  it('is tried again by the SDK', async () => {
    await onBench(defaultWorld(), async (bench) => {
      refusedOnce(bench);
      await createDeny(bench.tools.ec2, place, '198.51.100.7/32');
      expect(bench.calls('CreateNetworkAclEntry')).toBe(2);
    });
  });

  it('is thrown to a caller who waits for a turn, and what is no throttle is thrown as it is', async () => {
    await onBench(defaultWorld(), async (bench) => {
      refusedOnce(bench);
      const create = () => createDeny(bench.tools.ec2, place, '198.51.100.7/32', 'thrown');
      const error: unknown = await create().catch((thrown: unknown) => thrown);
      expect(isThrottle(error)).toBe(true);
      expect(bench.calls('CreateNetworkAclEntry')).toBe(1);
      await create();
      await expect(create()).rejects.toMatchObject({ name: 'NetworkAclEntryAlreadyExists' });
    });
  });
});
