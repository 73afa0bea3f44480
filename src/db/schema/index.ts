/**
 * Every table the store creates. To add one: declare it with `table(...)` in the file of its subsystem here, list it in
 * that file's `<SUBSYSTEM>_TABLES`, and spread that list below. A new table, index or nullable column needs nothing
 * more; any other change is a numbered step in sqlite/migrations.ts.
 */
import type { Table } from '../store.ts';
import { ACCESS_TABLES } from './access.ts';
import { AGENTS_TABLES } from './agents.ts';
import { BUDGET_TABLES } from './budget.ts';
import { JOURNAL_TABLES } from './journal.ts';
import { META_TABLES } from './meta.ts';
import { SCHEDULER_TABLES } from './scheduler.ts';
import { TOOLS_TABLES } from './tools.ts';

export const TABLES: readonly Table[] = [
  ...META_TABLES,
  ...JOURNAL_TABLES,
  ...ACCESS_TABLES,
  ...BUDGET_TABLES,
  ...AGENTS_TABLES,
  ...SCHEDULER_TABLES,
  ...TOOLS_TABLES,
];
