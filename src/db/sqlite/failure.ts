import { StoreError } from '../store.ts';

interface SqliteFailure {
  /** SQLite's result code. */
  readonly errcode?: number;
  /** Node's code of a failed file operation. */
  readonly code?: string;
  readonly message?: string;
}

const NO_SPACE = new Set(['ENOSPC', 'EDQUOT', 'EFBIG']);
const NO_ACCESS = new Set(['EACCES', 'EPERM', 'EROFS', 'ENOTDIR']);

/** Turns what SQLite throws into what a person can act on. Codes: https://www.sqlite.org/rescode.html */
export function storeError(error: unknown): StoreError {
  if (error instanceof StoreError) return error;
  const { errcode = 0, code = '', message = String(error) } = error as SqliteFailure;
  if (NO_SPACE.has(code)) return storeError({ errcode: 13, message });
  if (NO_ACCESS.has(code)) return storeError({ errcode: 8, message });
  if (code === 'EIO') return storeError({ errcode: 10, message });
  if (code === 'ENOENT')
    return new StoreError('failed', `there is no such directory: ${message}`, 'name a place that exists');
  switch (errcode & 255) {
    case 5:
      return new StoreError(
        'locked',
        'the database is in use by another process',
        'mezz status shows the running kernel; mezz down ends it',
      );
    case 8:
      return new StoreError(
        'readonly',
        `the state directory cannot be written: ${message}`,
        'check its owner and permissions',
      );
    case 10:
      return new StoreError(
        'failed',
        `the disk fails, or a limit on file sizes is reached: ${message}`,
        'check the disk, then mezz up; nothing acknowledged was lost',
      );
    case 13:
      return new StoreError(
        'full',
        `the disk is full: ${message}`,
        'free space, then mezz up; nothing acknowledged was lost',
      );
    case 11:
    case 26:
      return new StoreError(
        'corrupt',
        `the database is damaged: ${message}`,
        'mezz restore <backup> puts a good copy in its place',
      );
    case 14:
      return new StoreError(
        'readonly',
        'the database cannot be opened',
        'check that the state directory exists and is yours',
      );
    default:
      return new StoreError('failed', message, 'see the log; mezz fsck checks the store');
  }
}

/** StoreErrors cross the worker boundary as plain data. */
export interface FailureData {
  readonly code: StoreError['code'];
  readonly message: string;
  readonly remedy: string;
}
export const toData = (error: StoreError): FailureData => ({
  code: error.code,
  message: error.message,
  remedy: error.remedy,
});
export const fromData = (data: FailureData): StoreError =>
  new StoreError(data.code, data.message, data.remedy);
