/** An instance type by its looks, such as `m7i.large` or `u-6tb1.112xlarge`: whether there is one of this name EC2 knows. */
export const isInstanceType = (value: unknown): value is string =>
  typeof value === 'string' && /^[a-z0-9-]{1,30}\.[a-z0-9-]{1,30}$/.test(value);
