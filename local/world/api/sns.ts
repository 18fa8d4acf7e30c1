import type { PublishCommandInput } from '@aws-sdk/client-sns';
import type { ApiContext, Handlers } from './context.ts';
import { AwsError } from './errors.ts';
import { newUuid } from './ids.ts';
import { memorySlot } from './memory.ts';

export interface PublishedMessage {
  /** Seconds since the event's arrival. */
  readonly at: number;
  readonly topicArn: string;
  readonly subject: string | null;
  readonly message: string;
}

/** What was published, oldest first. */
export const publishedMessages = memorySlot((): PublishedMessage[] => []);

/** https://docs.aws.amazon.com/sns/latest/api/API_Publish.html */
function publish({ memory, now }: ApiContext, input: PublishCommandInput): object {
  const topicArn = input.TopicArn ?? input.TargetArn ?? '';
  if (!/^arn:[^:]+:sns:[^:]+:\d{12}:.+/.test(topicArn)) {
    throw new AwsError(
      'InvalidParameterException',
      'Invalid parameter: TopicArn or TargetArn Reason: no value for required parameter',
    );
  }
  const message = input.Message ?? '';
  if (message === '') throw new AwsError('InvalidParameterException', 'Invalid parameter: Empty message');
  if (Buffer.byteLength(message) > 262_144)
    throw new AwsError('InvalidParameterException', 'Invalid parameter: Message too long');
  const subject = input.Subject ?? null;
  // ASCII, no line breaks or control characters, fewer than 100 characters.
  if (subject !== null && !/^[!-~][ -~]{0,98}$/.test(subject)) {
    throw new AwsError('InvalidParameterException', 'Invalid parameter: Subject');
  }
  memory.of(publishedMessages).push({ at: now, topicArn, subject, message });
  return { MessageId: newUuid(memory) };
}

export const snsHandlers: Handlers = { Publish: publish };
