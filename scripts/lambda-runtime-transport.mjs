/**
 * Stands in for rapid-client.node of AWS's runtime client, its HTTP transport in C++: posts what the handler answered. It
 * fetches events with Node's HTTP client by itself, when it is told to.
 */
import { request } from 'node:http';

/**
 * @param {string} path
 * @param {string} body
 * @param {Record<string, string>} [headers]
 */
function post(path, body, headers = {}) {
  const url = `http://${process.env.AWS_LAMBDA_RUNTIME_API}/2018-06-01/runtime/invocation/${path}`;
  request(url, { method: 'POST', headers: { 'Content-Type': 'application/json', ...headers } }, (answer) => {
    answer.resume();
    if (answer.statusCode !== 202) throw new Error(`the Runtime API answers ${answer.statusCode} to ${path}`);
  }).end(body);
}

/** @type {(id: string, body: string) => void} */
export const done = (id, body) => post(`${id}/response`, body);

/** @type {(id: string, body: string, cause: string) => void} */
export const error = (id, body, cause) =>
  post(`${id}/error`, body, { 'Lambda-Runtime-Function-XRay-Error-Cause': cause });
