import type { TagSpecification } from '@aws-sdk/client-ec2';
import { AwsError } from '../errors.ts';
import type { Tag } from '../shapes.ts';

const TAG_LIMIT = 50;

/** The tags that a creating call gives a resource of one type. */
export function tagsFor(resourceType: string, specifications: readonly TagSpecification[] | undefined): Tag[] {
  const tags: Tag[] = [];
  for (const specification of specifications ?? []) {
    if (specification.ResourceType !== resourceType) {
      throw new AwsError(
        'InvalidParameterValue',
        `'${specification.ResourceType}' is not a valid taggable resource type for this operation.`,
      );
    }
    putTags(tags, specification.Tags ?? []);
  }
  return tags;
}

/** https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Tags.html#tag-restrictions */
export function putTags(tags: Tag[], added: readonly { Key?: string | undefined; Value?: string | undefined }[]): void {
  for (const { Key, Value = '' } of added) {
    if (Key === undefined || Key === '')
      throw new AwsError('MissingParameter', 'The request must contain the parameter Tag.Key');
    if (Key.length > 128) throw new AwsError('InvalidParameterValue', 'Tag keys are at most 128 characters long.');
    if (Value.length > 256) throw new AwsError('InvalidParameterValue', 'Tag values are at most 256 characters long.');
    if (/^aws:/i.test(Key))
      throw new AwsError('InvalidParameterValue', "Tag keys starting with 'aws:' are reserved for internal use");
    const there = tags.find((tag) => tag.Key === Key);
    if (there === undefined) tags.push({ Key, Value });
    else there.Value = Value;
  }
  if (tags.length > TAG_LIMIT)
    throw new AwsError('TagLimitExceeded', 'The maximum number of tags for a resource has been reached.');
}
