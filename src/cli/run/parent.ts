/** An agent that starts an agent is its parent: its mark in the environment begins with its pid. */
export const parentOf = (mark: string | undefined): string | undefined => /^(\d+)-/.exec(mark ?? '')?.[1];
