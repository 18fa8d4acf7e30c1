import type { S3Client } from '@aws-sdk/client-s3';
import { isPassingFault, readLogFiles } from '../aws/flow-log-bucket.ts';
import type { BucketReader } from './toolbox.ts';

/** What reads the bucket of the stack, from a client. */
export const bucketReader = (s3: S3Client): BucketReader => ({
  read: (search, deadline, take) => readLogFiles(s3, search, deadline, take),
  isPassing: isPassingFault,
});
