/** Families of instances on Xen; all others that are still there are on Nitro. https://docs.aws.amazon.com/ec2/latest/instancetypes/ec2-nitro-instances.html */
const XEN =
  /^(c1|c3|c4|cc\d|cg\d|cr1|d2|f1|g2|g3|g3s|h1|hi1|hs1|i2|i3|m1|m2|m3|m4|p2|p3|r3|r4|t1|t2|x1|x1e)\.(?!metal)/;

/** An unknown type is taken for a Nitro one, as nearly all are. */
export const isNitro = (instanceType: string | undefined): boolean =>
  instanceType === undefined || !XEN.test(instanceType);
