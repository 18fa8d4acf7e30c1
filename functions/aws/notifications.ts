import { PublishCommand, type SNSClient } from '@aws-sdk/client-sns';

export async function publish(
  sns: SNSClient,
  topicArn: string,
  message: { subject: string; body: string },
): Promise<void> {
  await sns.send(new PublishCommand({ TopicArn: topicArn, Subject: message.subject, Message: message.body }));
}
