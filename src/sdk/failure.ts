import { ERRORS, type Refusal, refusal } from '../base/errors.ts';

/** A verb that was not done: the kernel's refusal, or none because no kernel answered. */
export class ControlFailure extends Error {
  override name = 'ControlFailure';
  readonly refusal: Refusal;
  /** The command line's exit code, from the error table. */
  readonly exit: number;

  constructor(reason: Refusal, exit: number = ERRORS[reason.code]?.exit ?? 1) {
    super(reason.message);
    this.refusal = reason;
    this.exit = exit;
  }
}

/** Exit code 7 stands for "no kernel to talk to", whatever the reason. */
export const KERNEL_UNREACHABLE_EXIT = 7;

export const kernelUnreachable = (message: string, remedy = 'mezz up'): ControlFailure =>
  new ControlFailure(refusal('unreachable', message, { remedy }), KERNEL_UNREACHABLE_EXIT);
