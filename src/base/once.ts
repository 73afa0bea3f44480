/**
 * What was read of a value that is asked about again and again: kept as long as the value itself, and only with it. The
 * value must not change.
 */
export function readOnce<K extends object, V>(read: (value: K) => V): (value: K) => V {
  const known = new WeakMap<K, V>();
  return (value) => {
    const found = known.get(value);
    if (found !== undefined || known.has(value)) return found as V;
    const made = read(value);
    known.set(value, made);
    return made;
  };
}
