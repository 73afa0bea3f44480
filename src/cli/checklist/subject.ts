/** What an experiment needs of a product under test, in nobody's words: mezz is one subject, a description makes others. */
import type { JsonRecord } from '../../base/json.ts';
import type { HttpReply, HttpRequest } from './http.ts';
import type { Upstream } from './upstream.ts';

/** An agent, as the product tells it from others. */
export interface Caller {
  readonly name: string;
}

/** An act of an agent's own, before which its client asks. */
export interface Act {
  readonly tool: string;
  readonly input: JsonRecord;
  /** One of its own for each act. */
  readonly id: string;
}

/** What a call waits for, in the product's own words. */
export interface Waiting {
  /** `slot`, `lock` or `pause`, and of what, where the product tells them apart. */
  readonly kind: string | undefined;
  readonly resource: string | undefined;
  /** Its reasons, or all that it said. */
  readonly reasons: readonly string[];
  readonly ahead: number | undefined;
  /** Who has what it waits for. */
  readonly holder: string | undefined;
  readonly calls: readonly string[];
}

export interface Models {
  /** The request of a model call that says this; `tool` is offered with it. */
  request(caller: Caller, text: string, tool?: string): Promise<HttpRequest>;
  /** The product's id of a call that it answered. */
  idOf(reply: HttpReply): string;
  /** The id of a call of this tool that the model's answer holds. */
  toolCall(reply: HttpReply, tool: string): string | undefined;
}

/** A policy of the subject, and what it is in a sentence. */
export interface Named {
  readonly name: string;
  readonly text: string;
}

export interface Order {
  /** Two that differ for agents of different importance. */
  readonly policies: readonly [Named, Named] | undefined;
  set(policy: string): Promise<void>;
  /** From now on this caller goes before the others, or no longer. */
  readonly prefer: ((caller: Caller, before: boolean) => Promise<void>) | undefined;
  /** A policy that its operator wrote; the last to come goes first, and it fails at callers of nice 7. */
  readonly own:
    | {
        set(): Promise<void>;
        /** In force, and what became of the one before. */
        inForce(): Promise<{ readonly isOwn: boolean; readonly fault: string | undefined }>;
        reset(): Promise<void>;
      }
    | undefined;
  /** Why a call went when it did, as it is kept afterwards. */
  readonly kept: ((call: string) => Promise<string>) | undefined;
}

export interface Pausing {
  pause(caller: Caller): Promise<void>;
  resume(caller: Caller): Promise<void>;
}

/** The product's own process. */
export interface Running {
  /** Ends it as a crash does. */
  crash(): Promise<void>;
  start(): Promise<void>;
}

/** A client asks before an act of its own, and tells when it has acted. */
export interface Guard {
  before(caller: Caller, act: Act): Promise<{ readonly allowed: boolean; readonly reason: string }>;
  after(caller: Caller, act: Act): Promise<void>;
}

export interface Records {
  /** The decision about an agent's last act, if it is kept. */
  decision(caller: Caller, act: Act): Promise<{ readonly id: string } | undefined>;
  /** By which rule it was refused; undefined where that is not told. */
  rule(caller: Caller): Promise<string | undefined>;
  /** Acts decided about before they happened, of all that were seen. */
  readonly coverage:
    | ((caller: Caller) => Promise<{ readonly decided: number; readonly seen: number }>)
    | undefined;
  /** The record of a write past the product. */
  readonly round: ((path: string) => Promise<{ readonly id: string } | undefined>) | undefined;
}

/** Tools of another program that callers reach through the product, and the file that those change. */
export interface Tools {
  readonly file: string;
  /** Changes at once that each have a line of their own in the file. */
  readonly change: ((caller: Caller, n: number) => Promise<ToolAnswer>) | undefined;
  /** Makes the file as it is before all changes. */
  begin(count: number): void;
  /** Changes of this many that are in the file. */
  kept(count: number): number;
  readonly read: ((caller: Caller) => Promise<ToolAnswer>) | undefined;
  /** Replaces all of it. */
  readonly replace: ((caller: Caller, text: string) => Promise<ToolAnswer>) | undefined;
}
export interface ToolAnswer {
  readonly ok: boolean;
  readonly text: string;
}

/** Agents at once on one thing, with nothing between them and with the product. */
export interface Crowd {
  checkout(): Promise<Shown>;
  memory(): Promise<Shown>;
  filesystem(): Promise<Shown>;
}
export interface Shown {
  readonly saw: string;
  /** What was done and is not there afterwards, with the product. */
  readonly lost: number;
  readonly lostAlone: number;
  readonly calls: readonly string[];
}

/** What the product says about itself. */
export interface Words {
  /** Text by where it is from: what is said when nobody asks for it, and everything else. */
  readonly unasked: Readonly<Record<string, string>>;
  readonly help: Readonly<Record<string, string>>;
  readonly pages: Readonly<Record<string, string>>;
}

/** What is absent the product does not offer, or its description does not name. */
export interface Subject {
  readonly name: string;
  /** mezz itself: what no experiment tries yet is then not built. */
  readonly isOwn: boolean;
  /** Of the experiments' own, gone after them. */
  readonly directory: string;
  /** What the product passes its model calls on to. */
  readonly upstream: Upstream;
  /** An agent of its own; a lower `nice` is more important. */
  caller(name: string, nice?: number): Promise<Caller>;
  readonly models?: Models;
  readonly waiting?: (caller: Caller) => Promise<Waiting | undefined>;
  readonly order?: Order;
  readonly pausing?: Pausing;
  readonly running?: Running;
  readonly guard?: Guard;
  readonly records?: Records;
  readonly tools?: Tools;
  readonly crowd?: Crowd;
  readonly words?: () => Promise<Words>;
}
