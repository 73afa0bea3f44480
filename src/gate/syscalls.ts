/**
 * The syscall table: what each syscall is to access, budget and scheduler. A new syscall is a row here, a payload in
 * base/syscall.ts and a performer in kernel.ts.
 */
import { sha256Hex } from '../base/hash.ts';
import { canonicalJson, type JsonRecord } from '../base/json.ts';
import type { ModelCall } from '../base/model.ts';
import type { Payloads, SyscallKind, ToolCall } from '../base/syscall.ts';

export interface ResourceName {
  readonly type: 'Model' | 'Tool';
  readonly id: string;
  readonly parents: readonly string[];
}

interface SyscallSpec<K extends SyscallKind> {
  resource(payload: Payloads[K]): ResourceName;
  /** What access policies see as the call's arguments. */
  args(payload: Payloads[K]): JsonRecord;
  /** The exact arguments: their digest is what an approval is bound to and a repetition is recognised by. */
  body(payload: Payloads[K]): Uint8Array | string;
  /** Does it need a backend with a free slot? */
  readonly needsBackend: boolean;
  /** Does it move tokens or money? Free ones still count as requests. */
  readonly charged: boolean;
  /** Does END come with the perform, or later by another message (a hooked tool's result)? */
  readonly endsLater: boolean;
}

type ModelKind = Exclude<SyscallKind, 'tool.call'>;

const modelSpec = <K extends ModelKind>(charged: boolean): SyscallSpec<K> => ({
  resource: (call) => ({ type: 'Model', id: call.facts.model || call.path, parents: [call.dialect] }),
  args: modelArgs,
  body: (call) => call.decoded,
  needsBackend: true,
  charged,
  endsLater: false,
});

function modelArgs(call: ModelCall): JsonRecord {
  const facts = call.facts;
  return {
    model: facts.model,
    stream: facts.stream,
    method: call.method,
    path: call.path,
    ...(facts.maxOutput !== undefined ? { maxOutput: facts.maxOutput } : {}),
    ...(facts.hostedTools.length > 0 ? { hostedTools: facts.hostedTools.map((tool) => tool.type) } : {}),
  };
}

/** Equal for equal calls, whatever the order of the members. */
const toolText = (call: ToolCall): string =>
  canonicalJson({ server: call.server, tool: call.tool, input: call.input });

export const toolDigest = (call: ToolCall): string => sha256Hex(toolText(call));

export const toolResource = ({ server, tool }: Pick<ToolCall, 'server' | 'tool'>): ResourceName => ({
  type: 'Tool',
  id: `${server}/${tool}`,
  parents: [server],
});

const toolSpec: SyscallSpec<'tool.call'> = {
  resource: toolResource,
  args: (call) => call.input,
  body: toolText,
  needsBackend: false,
  charged: false,
  endsLater: true,
};

export const SYSCALLS: { readonly [K in SyscallKind]: SyscallSpec<K> } = {
  'model.generate': modelSpec(true),
  'model.embed': modelSpec(true),
  'model.count': modelSpec(false),
  'model.object': modelSpec(false),
  'tool.call': toolSpec,
};
