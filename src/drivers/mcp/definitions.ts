/**
 * Whether clients can read what a tool server says of a tool, a prompt or a resource, by MCP's own schema. Invariant: what
 * is passed here breaks no list: a client that cannot read one definition throws all of them away, those of other servers
 * too.
 */
import { isRecord, type Json, type JsonRecord } from '../../base/json.ts';
import {
  flag,
  json,
  listOf,
  mapOf,
  maybe,
  number,
  type Optional,
  object,
  type Shape,
  shape,
  wrongIn,
} from '../../base/verb.ts';

type Form = Readonly<Record<string, Shape<unknown> | Optional<unknown>>>;

const text = shape<string>('a text', (value) => typeof value === 'string');
const name = shape<string>('a name', (value) => typeof value === 'string' && value !== '');
/** A schema may be the plain word that everything fits, or nothing. */
const schema = shape<Json>('a schema', (value) => isRecord(value) || typeof value === 'boolean');

const COMMON: Form = {
  title: maybe(text),
  description: maybe(text),
  icons: maybe(listOf(object<JsonRecord>({ src: text }))),
  _meta: maybe(json),
};
const RESOURCE: Form = {
  ...COMMON,
  name: text,
  mimeType: maybe(text),
  annotations: maybe(json),
};

const FORMS = {
  tools: {
    ...COMMON,
    name,
    inputSchema: object<JsonRecord>({
      type: shape<string>('object', (value) => value === 'object'),
      properties: maybe(mapOf(schema)),
      required: maybe(listOf(text)),
    }),
    outputSchema: maybe(json),
    annotations: maybe(
      object<JsonRecord>({
        title: maybe(text),
        readOnlyHint: maybe(flag),
        destructiveHint: maybe(flag),
        idempotentHint: maybe(flag),
        openWorldHint: maybe(flag),
      }),
    ),
    execution: maybe(json),
  },
  prompts: {
    ...COMMON,
    name,
    arguments: maybe(
      listOf(object<JsonRecord>({ name: text, description: maybe(text), required: maybe(flag) })),
    ),
  },
  resources: { ...RESOURCE, uri: text, size: maybe(number) },
  resourceTemplates: { ...RESOURCE, uriTemplate: text },
} as const satisfies Readonly<Record<string, Form>>;

/** A list of MCP, by the member of its answer that holds it. */
export type ListMember = keyof typeof FORMS;

/** Why no client can read a definition; undefined where all can. */
export function flawOf(member: ListMember, definition: JsonRecord): string | undefined {
  const forms: Form = FORMS[member];
  const flaw = Object.keys(forms).find(
    (one) => wrongIn({ [one]: forms[one] } as never, definition) !== undefined,
  );
  return flaw === undefined ? undefined : `its ${flaw} is not what MCP lets it be`;
}
