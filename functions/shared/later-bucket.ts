import { S3Client } from '@aws-sdk/client-s3';
import { CLIENT_SETTINGS } from '../aws/client-settings.ts';
import { bucketReader } from './bucket-reader.ts';
import { timely } from './lambda.ts';

/** Loaded when a flow log in the bucket is read: no other run needs the client. */
export const BUCKET_READER = bucketReader(timely(new S3Client(CLIENT_SETTINGS)));
