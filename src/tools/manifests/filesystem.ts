import { changes, type Manifests, NOTHING, reads, replaces } from './manifest.ts';

/** The official filesystem server (2026.8.31), which calls itself `secure-filesystem-server`. */
export const FILESYSTEM: Manifests = {
  read_file: reads('file:{path}'),
  read_text_file: reads('file:{path}'),
  read_media_file: reads('file:{path}'),
  read_multiple_files: reads('file:{paths}'),
  write_file: replaces('file:{path}'),
  edit_file: changes('file:{path}'),
  create_directory: NOTHING,
  list_directory: NOTHING,
  list_directory_with_sizes: NOTHING,
  directory_tree: NOTHING,
  search_files: NOTHING,
  get_file_info: NOTHING,
  list_allowed_directories: NOTHING,
  move_file: {
    resources: [
      { key: 'file:{source}', access: 'replace' },
      { key: 'file:{destination}', access: 'replace' },
    ],
  },
};
