/**
 * How SDK clients call, in the Lambdas and in the local run. One attempt has seconds to connect and to answer; a call is
 * its attempts and the pauses between them; a function has time for a whole call and, beyond that, the seconds in which
 * it says what it could not do ({@link RESERVE_SECONDS}). test/template/budgets.test.ts holds one against the other.
 */
export interface ClientSettings {
  readonly maxAttempts: number;
  readonly retryMode: 'standard';
  readonly requestHandler: {
    /** Milliseconds until a connection stands. */
    readonly connectionTimeout: number;
    /** Milliseconds until an answer begins. */
    readonly requestTimeout: number;
    /** Milliseconds of silence within an answer. */
    readonly socketTimeout: number;
    readonly throwOnRequestTimeout: true;
  };
}

const patience = (maxAttempts: number, answerMs: number): ClientSettings => ({
  maxAttempts,
  retryMode: 'standard',
  requestHandler: {
    connectionTimeout: 2000,
    requestTimeout: answerMs,
    socketTimeout: answerMs,
    // Without it the SDK only warns, and waits on. @smithy/types, NodeHttpHandlerOptions
    throwOnRequestTimeout: true,
  },
});

/** Six attempts ride out the token buckets of EC2 in a storm. */
export const CLIENT_SETTINGS = patience(6, 5000);

/** The isolation waits for what Systems Manager says. */
export const HOST_SETTINGS = patience(4, 4000);

/** A search reads for seconds before its first line. */
export const SEARCH_SETTINGS = patience(3, 20_000);

/** Of its own time a function keeps so many seconds: calls of its work are not begun in them, nor waited for. */
export const RESERVE_SECONDS = 10;

/** The last second is Lambda's: what is called then would be cut off unheard. */
export const LAST_SECONDS = 1;
