/**
 * Whether clients can read what a tool server says of a tool, a prompt or a resource, by MCP's own schema. Invariant: what
 * is passed here breaks no list: a client that cannot read one definition throws all of them away, those of other servers
 * too.
 */
import { isRecord, type Json, type JsonRecord } from '../../base/json.ts';

type Test = (value: Json | undefined) => boolean;
type Form = Readonly<Record<string, Test>>;

const isText: Test = (value) => typeof value === 'string';
const isName: Test = (value) => typeof value === 'string' && value !== '';
const isTruth: Test = (value) => typeof value === 'boolean';
const isNumber: Test = (value) => typeof value === 'number';
const maybe =
  (test: Test): Test =>
  (value) =>
    value === undefined || test(value);
const listOf =
  (test: Test): Test =>
  (value) =>
    Array.isArray(value) && value.every(test);
const of =
  (form: Form): Test =>
  (value) =>
    isRecord(value) && flawIn(form, value) === undefined;
/** A schema may be the plain word that everything fits, or nothing. */
const schemas: Test = (value) =>
  isRecord(value) && Object.values(value).every((one) => isRecord(one) || isTruth(one));

const COMMON: Form = {
  title: maybe(isText),
  description: maybe(isText),
  icons: maybe(listOf(of({ src: isText }))),
  _meta: maybe(isRecord),
};
const RESOURCE: Form = {
  ...COMMON,
  name: isText,
  mimeType: maybe(isText),
  annotations: maybe(isRecord),
};

const FORMS = {
  tools: {
    ...COMMON,
    name: isName,
    inputSchema: of({
      type: (value) => value === 'object',
      properties: maybe(schemas),
      required: maybe(listOf(isText)),
    }),
    outputSchema: maybe(isRecord),
    annotations: maybe(
      of({
        title: maybe(isText),
        readOnlyHint: maybe(isTruth),
        destructiveHint: maybe(isTruth),
        idempotentHint: maybe(isTruth),
        openWorldHint: maybe(isTruth),
      }),
    ),
    execution: maybe(isRecord),
  },
  prompts: {
    ...COMMON,
    name: isName,
    arguments: maybe(listOf(of({ name: isText, description: maybe(isText), required: maybe(isTruth) }))),
  },
  resources: { ...RESOURCE, uri: isText, size: maybe(isNumber) },
  resourceTemplates: { ...RESOURCE, uriTemplate: isText },
} as const satisfies Readonly<Record<string, Form>>;

/** A list of MCP, by the member of its answer that holds it. */
export type ListMember = keyof typeof FORMS;

/** Why no client can read a definition; undefined where all can. */
export function flawOf(member: ListMember, definition: JsonRecord): string | undefined {
  const flaw = flawIn(FORMS[member], definition);
  return flaw === undefined ? undefined : `its ${flaw} is not what MCP lets it be`;
}

const flawIn = (form: Form, value: JsonRecord): string | undefined =>
  Object.entries(form).find(([name, test]) => !test(value[name]))?.[0];
