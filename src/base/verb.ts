/** What a verb of the control protocol is. */
export interface Verb<Request, Response> {
  readonly request: Request;
  readonly response: Response;
}
export type Selector = { /** pid, name or unique name prefix */ readonly agent: string };
