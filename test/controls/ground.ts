import type { Control, Recorded } from '../../functions/core/control.ts';
import type { Records, RunnerTools } from '../../functions/shared/control-runner.ts';

/** A control on an account in which there is something for it to change, and its records. */
export interface Ground {
  readonly control: Control<RunnerTools, Recorded, unknown>;
  /** As a function of its own would have them: nothing is remembered from one process to the next. */
  tools(): Promise<RunnerTools>;
  records(): Promise<Records<Recorded>>;
  /** Notes that a thing is back, as a restore does. */
  note(before: Recorded): Promise<boolean>;
  /** Somebody makes of the thing what is neither as it was nor ours. Absent where nothing of the kind can be. */
  readonly strange?: (before: Recorded) => Promise<void>;
  /** Every call of every client goes through it, the case table's included. */
  readonly wire: Wire;
}

/** The SDK clients of a ground, as far as they are taken hold of. */
export interface WithMiddleware {
  readonly middlewareStack: { add(middleware: never, options: never): void };
}

/** Says of each call, before it is made and after it has had its effect, whether it fails. */
export type Trouble = (call: string, moment: 'before' | 'after', nth: number) => Error | null;

/** What is between a process and AWS. */
export class Wire {
  private trouble: Trouble = () => null;
  private made: string[] = [];

  constructor(clients: readonly WithMiddleware[]) {
    for (const client of new Set(clients)) {
      const middleware =
        (next: (given: object) => Promise<object>, { commandName = '' }: { readonly commandName?: string }) =>
        async (given: object): Promise<object> => {
          const call = commandName.replace(/Command$/, '');
          this.made.push(call);
          const nth = this.made.length;
          const before = this.trouble(call, 'before', nth);
          if (before !== null) throw before;
          const answer = await next(given);
          const after = this.trouble(call, 'after', nth);
          if (after !== null) throw after;
          return answer;
        };
      client.middlewareStack.add(middleware as never, { step: 'initialize', name: 'wire', override: true } as never);
    }
  }

  /** Runs the work with trouble on the wire; returns what it came to, and the calls that were made. */
  async with<T>(
    trouble: Trouble,
    work: () => Promise<T>,
  ): Promise<{ readonly result: T | Error; readonly calls: readonly string[] }> {
    this.trouble = trouble;
    this.made = [];
    try {
      return { result: await work(), calls: this.made };
    } catch (error) {
      return { result: error instanceof Error ? error : new Error(String(error)), calls: this.made };
    } finally {
      this.trouble = () => null;
    }
  }
}

export const refused = (code: string): Error =>
  Object.assign(new Error(`${code}: by the test`), { name: code, Code: code });

/** Whether a call changes something: all others only look. */
export const isChange = (call: string): boolean => !/^(Describe|Get|Query|BatchGet|List)/.test(call);

/** The same of a call that changes AWS, and not the case table. */
export const isWrite = (call: string): boolean =>
  isChange(call) && !/^(Put|Update|Delete)Item$|^TransactWrite/.test(call);
