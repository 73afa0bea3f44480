/**
 * Which resources a template of RFC 6570 stands for, as far as it says whose they are: an expression stands for any text
 * without a slash, and over slashes with `+`, `#`, `/`, `?` and `&`. Invariant: templates and addresses come from others, and
 * a look takes no more steps than it is allowed, whatever they say.
 */
import { LIMITS } from './limits.ts';

const EXPRESSION = /(\{[^{}]*\})/;
const OVER_SLASHES = /^\{[+#/?&]/;

/** One address, and how many steps are left to find it among a server's templates. */
export class Sought {
  readonly #uri: string;
  #steps = LIMITS.templateSteps.value;

  constructor(uri: string) {
    this.#uri = uri;
  }

  /** false also where the steps do not reach for this template: each counts its length times the address's. */
  fits(template: string): boolean {
    if (template === this.#uri) return true;
    const begin = template.indexOf('{');
    if (begin < 0 || !this.#uri.startsWith(template.slice(0, begin))) return false;
    this.#steps -= template.length * (this.#uri.length + 1);
    if (this.#steps < 0) return false;
    const ends = new Uint8Array(this.#uri.length + 1);
    ends[0] = 1;
    for (const [n, part] of template.split(EXPRESSION).entries())
      if (n % 2 === 1) stretch(ends, this.#uri, OVER_SLASHES.test(part));
      else if (part !== '') move(ends, this.#uri, part);
    return ends[this.#uri.length] === 1;
  }
}

/** Where the template's beginning can end in the address becomes where it can end with one expression more. */
function stretch(ends: Uint8Array, uri: string, isOverSlashes: boolean): void {
  for (let at = 0; at < uri.length; at++)
    if (ends[at] === 1 && (isOverSlashes || uri[at] !== '/')) ends[at + 1] = 1;
}

/** The same with a text more that stands for itself. */
function move(ends: Uint8Array, uri: string, text: string): void {
  for (let at = uri.length; at >= 0; at--) {
    if (ends[at] === 1 && uri.startsWith(text, at)) ends[at + text.length] = 1;
    ends[at] = 0;
  }
}
