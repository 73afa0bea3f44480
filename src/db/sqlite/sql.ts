/** Read and prune statements from queries. Names come from declarations only; values always travel as parameters. */
import { rangeColumns } from '../rows.ts';
import type { EntryQuery, PruneRule, RangeQuery, Table, Value } from '../store.ts';

export interface Sql {
  readonly sql: string;
  readonly values: readonly Value[];
}

export function rangeSql(table: Table, query: RangeQuery): Sql {
  const by = rangeColumns(table, query.by);
  const conditions: string[] = [];
  const values: Value[] = [];
  for (const [i, value] of (query.prefix ?? []).entries()) {
    conditions.push(`"${by[i]}" IS ?`);
    values.push(value);
  }
  const next = by[query.prefix?.length ?? 0];
  if (next !== undefined && query.from !== undefined) {
    conditions.push(`"${next}">=?`);
    values.push(query.from);
  }
  if (next !== undefined && query.to !== undefined) {
    conditions.push(`"${next}"<=?`);
    values.push(query.to);
  }
  const columns = table.columns.map((column) => `"${column.name}"`).join(',');
  const where = conditions.length > 0 ? ` WHERE ${conditions.join(' AND ')}` : '';
  const direction = query.reverse ? ' DESC' : '';
  const order = [...by, ...table.key.filter((column) => !by.includes(column))].map(
    (column) => `"${column}"${direction}`,
  );
  values.push(query.limit);
  return {
    sql: `SELECT ${columns} FROM "${table.name}"${where} ORDER BY ${order.join(',')} LIMIT ?`,
    values,
  };
}

export function entriesSql(query: EntryQuery): Sql {
  const conditions: string[] = [];
  const values: Value[] = [];
  const add = (condition: string, value: Value | undefined) => {
    if (value === undefined) return;
    conditions.push(condition);
    values.push(value);
  };
  add('log=?', query.log);
  add('seq>=?', query.fromSeq);
  add('seq<=?', query.toSeq);
  add('agent=?', query.agent);
  add('call=?', query.call);
  const where = conditions.length > 0 ? ` WHERE ${conditions.join(' AND ')}` : '';
  values.push(query.limit);
  return {
    sql: `SELECT log,seq,agent,n,call,kind,at,body,leaf FROM entry${where} ORDER BY ${query.reverse ? 'log DESC,seq DESC' : 'log,seq'} LIMIT ?`,
    values,
  };
}

/** One statement a rule: by name, by age, by size (newest kept). */
export function pruneSql(what: PruneRule): Sql[] {
  const owned = what.owner === undefined ? '' : ' AND owner=?';
  const owner: Value[] = what.owner === undefined ? [] : [what.owner];
  const tail = ' RETURNING length(bytes) AS size';
  if (what.hashes)
    return what.hashes.map((hash) => ({
      sql: `DELETE FROM blob WHERE hash=?${owned}${tail}`,
      values: [hash, ...owner],
    }));
  const list: Sql[] = [];
  if (what.beforeMs !== undefined)
    list.push({ sql: `DELETE FROM blob WHERE at<?${owned}${tail}`, values: [what.beforeMs, ...owner] });
  if (what.keepBytes !== undefined) {
    list.push({
      sql: `DELETE FROM blob WHERE (owner,hash) IN (SELECT owner,hash FROM (SELECT owner,hash,sum(length(bytes)) OVER (ORDER BY at DESC, hash, owner ROWS UNBOUNDED PRECEDING) AS total FROM blob WHERE 1=1${owned}) WHERE total>?)${tail}`,
      values: [...owner, what.keepBytes],
    });
  }
  if (list.length === 0 && what.owner !== undefined)
    list.push({ sql: `DELETE FROM blob WHERE owner=?${tail}`, values: owner });
  return list;
}
