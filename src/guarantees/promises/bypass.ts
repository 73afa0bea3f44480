/** How more than one promise is got round. */

export const SAME_USER =
  'A process of the same user can read and change what mezz keeps: there is no sandbox yet.';
export const DISK = 'A disk or file system that reports a flush it did not do.';
export const SOURCES = 'Changing the sources.';
export const NOTHING = 'Nothing known.';
