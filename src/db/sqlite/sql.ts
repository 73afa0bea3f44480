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

/** The oldest blobs that a rule dooms: by age, by size (newest kept), or all of an owner. */
export function doomedSql(rule: PruneRule, limit: number): Sql {
  const owned = rule.owner === undefined ? '' : ' AND owner=?';
  const owner: Value[] = rule.owner === undefined ? [] : [rule.owner];
  const conditions: string[] = [];
  const values: Value[] = [];
  if (rule.beforeMs !== undefined) {
    conditions.push('at<?');
    values.push(rule.beforeMs);
  }
  if (rule.keepBytes !== undefined) {
    conditions.push('total>?');
    values.push(rule.keepBytes);
  }
  if (conditions.length === 0) conditions.push(rule.owner === undefined ? '0' : '1');
  const total =
    rule.keepBytes === undefined
      ? '0'
      : 'sum(length(bytes)) OVER (ORDER BY at DESC, hash, owner ROWS UNBOUNDED PRECEDING)';
  const all = `SELECT owner,hash,at,length(bytes) AS size,${total} AS total FROM blob WHERE 1=1${owned}`;
  return {
    sql: `SELECT owner,hash,at,size FROM (${all}) WHERE ${conditions.join(' OR ')} ORDER BY at LIMIT ?`,
    values: [...owner, ...values, limit],
  };
}

/** Rows and bytes of one declared table, of the entries by agent and of the bodies by owner. */
export function sizeSql(table: Table): string {
  const bytes = table.columns.map(({ name }) => `coalesce(length("${name}"),0)`).join('+');
  return `SELECT count(*) AS rows, coalesce(sum(${bytes}),0) AS bytes FROM "${table.name}"`;
}
export const ENTRY_SIZES =
  'SELECT agent, count(*) AS rows, sum(length(body)+length(kind)+length(leaf)) AS bytes FROM entry GROUP BY agent ORDER BY agent';
export const BODY_SIZES =
  'SELECT owner, count(*) AS rows, sum(length(bytes)) AS bytes FROM blob GROUP BY owner ORDER BY owner';
