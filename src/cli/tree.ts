/** Children after their parent, each with the name to show: indented, so that a tree can be read. */
export function inTree<Id, Node extends { readonly parent: Id | null }>(
  nodes: readonly Node[],
  idOf: (node: Node) => Id,
  nameOf: (node: Node) => string = (node) => String(idOf(node)),
): (Node & { readonly shown: string })[] {
  const known = new Set(nodes.map(idOf));
  const below = (parent: Id | null, depth: number): (Node & { readonly shown: string })[] =>
    nodes
      .filter((node) =>
        parent === null ? node.parent === null || !known.has(node.parent) : node.parent === parent,
      )
      .flatMap((node) => [
        { ...node, shown: depth === 0 ? nameOf(node) : `${'  '.repeat(depth - 1)}└ ${nameOf(node)}` },
        ...below(idOf(node), depth + 1),
      ]);
  return below(null, 0);
}
