/**
 * How every SDK client calls, in the Lambdas and in the local run. Six attempts ride out the token buckets of EC2 in a
 * storm; a call that hangs is given up long before the function's own time is: 2 s to connect, 5 s to answer.
 */
export const CLIENT_SETTINGS = {
  maxAttempts: 6,
  retryMode: 'standard',
  requestHandler: { connectionTimeout: 2000, requestTimeout: 5000 },
} as const;
