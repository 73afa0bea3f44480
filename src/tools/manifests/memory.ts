import { changes, type Manifests, reads } from './manifest.ts';

const GRAPH = 'server:{server}/graph';

/**
 * The official memory server (2026.8.31), which calls itself `memory-server`. Each of its writes reads the whole graph,
 * changes it and writes the whole file.
 */
export const MEMORY: Manifests = {
  create_entities: changes(GRAPH),
  create_relations: changes(GRAPH),
  add_observations: changes(GRAPH),
  delete_entities: changes(GRAPH),
  delete_observations: changes(GRAPH),
  delete_relations: changes(GRAPH),
  read_graph: reads(GRAPH),
  search_nodes: reads(GRAPH),
  open_nodes: reads(GRAPH),
};
