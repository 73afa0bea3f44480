/**
 * Whose word about a tool holds: the operator's manifest, else the one mezz ships, else what HTTP says of it, else its
 * annotations where its server is trusted. Where nobody says a word, it may write anything of its server.
 */
import { isRecord, type JsonRecord, stringOf } from '../../base/json.ts';
import type { InstanceMode, Manifest, ManifestFile } from '../../base/manifest.ts';
import type { Described, ToolServerSpec } from '../../base/ports.ts';
import { BY_SOFTWARE } from './shipped.ts';

export type Source = 'operator' | 'shipped' | 'http' | 'annotations' | 'none';

export interface Known {
  readonly source: Source;
  /** Absent where nobody says a word. */
  readonly manifest?: Manifest;
}

/** What a file says of a tool, whatever its server calls it. */
export const toolIn = (file: ManifestFile | undefined, tool: string): Manifest | undefined =>
  file && Object.hasOwn(file.tools, tool) ? file.tools[tool] : undefined;

export const shippedFor = ({ software }: Described): ManifestFile | undefined => BY_SOFTWARE.get(software);

/** Whose a server's processes are: the settings' word, else its manifest's, else everybody's. */
export const modeOf = (spec: ToolServerSpec, described: Described): InstanceMode =>
  spec.instance ?? spec.manifest?.instance ?? shippedFor(described)?.instance ?? 'shared';

export function knownOf(spec: ToolServerSpec, described: Described, definition: JsonRecord): Known {
  const tool = stringOf(definition.name);
  const files = [
    ['operator', spec.manifest],
    ['shipped', shippedFor(described)],
    ['http', described.manifest],
  ] as const;
  for (const [source, file] of files) {
    const manifest = toolIn(file, tool);
    if (manifest) return { source, manifest };
  }
  const manifest = spec.trusted ? fromAnnotations(definition) : undefined;
  return manifest ? { source: 'annotations', manifest } : { source: 'none' };
}

/** The protocol's own hints and their defaults; nothing where a tool has none. */
export function fromAnnotations({ annotations }: JsonRecord): Manifest | undefined {
  if (!isRecord(annotations) || annotations.readOnlyHint === undefined) return undefined;
  const key = 'server:{server}';
  if (annotations.readOnlyHint === true) return { resources: [{ key, access: 'read' }], retry: 'pure' };
  const isIdempotent = annotations.idempotentHint === true;
  return {
    resources: [{ key, access: 'delta' }],
    ...(isIdempotent ? { retry: 'idempotent' as const } : {}),
  };
}
