import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { startFlags } from '../support/start-flags.js';

interface Answer {
  readonly result?: unknown;
  readonly error?: string;
}

/**
 * A process of our own that answers one question at a time.
 *
 * Each variant has one: its code is compiled for it alone, its garbage is its own, and while another variant runs it
 * sleeps.
 */
export class Child<Question extends object, Result> {
  private constructor(private readonly child: ChildProcess) {}

  /** Starts the module (a URL beside the caller's own) with text arguments. */
  static start<Question extends object, Result>(
    module: URL,
    args: readonly string[] = [],
  ): Child<Question, Result> {
    const execArgv = ['--expose-gc', ...startFlags()];
    return new Child(fork(fileURLToPath(module), args, { execArgv }));
  }

  get pid(): number {
    return this.child.pid ?? -1;
  }

  ask(question: Question): Promise<Result> {
    const { child } = this;
    return new Promise((resolve, reject) => {
      const onExit = (code: number | null): void => {
        child.off('message', onMessage);
        reject(new Error(`${child.spawnargs.slice(-2).join(' ')} ended with ${code}.`));
      };
      const onMessage = ({ result, error }: Answer): void => {
        child.off('exit', onExit);
        if (error === undefined) resolve(result as Result);
        else reject(new Error(error));
      };
      child.once('exit', onExit);
      child.once('message', onMessage);
      child.send(question);
    });
  }

  /** It ends by itself when we let go of it. */
  async stop(): Promise<void> {
    if (this.child.exitCode !== null || !this.child.connected) return;
    const exited = new Promise((resolve) => this.child.once('exit', resolve));
    this.child.disconnect();
    await exited;
  }
}

/** The child's side: answers until the parent lets go. */
export function answer<Question>(handle: (question: Question) => Promise<unknown>): void {
  process.on('message', (question) => {
    handle(question as Question).then(
      (result) => process.send?.({ result }),
      (error: unknown) =>
        process.send?.({ error: error instanceof Error ? error.stack : String(error) }),
    );
  });
  process.on('disconnect', () => process.exit(0));
}
