// The limit of a cold start: one bare POST over TLS, no SDK, no signature, nothing to decide.
import { request } from 'node:https';

/** @returns {Promise<void>} */
export function handler() {
  return new Promise((resolve, reject) => {
    const call = request(process.env['AWS_ENDPOINT_URL'] ?? '', { method: 'POST' }, (answer) => {
      answer.resume().on('end', resolve);
    });
    call.on('error', reject).end('Action=DescribeInstances&Version=2016-11-15');
  });
}
