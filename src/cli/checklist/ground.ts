/** Words that claim the ground floor: mezz runs on an operating system and must never sound as if it were one. */
const CLAIMS = [
  /\b(is|as|be|become|becomes|called) an? (new )?(AI |agent )?operating system\b/i,
  /\breplac\w+ (your|the|an) (operating system|OS|kernel)\b/i,
  /\b(bare[- ]metal|ring 0|boots? (directly|from)|hardware drivers?|hypervisor)\b/i,
  /\bAI OS\b/,
];
const NEGATED = /\b(not|never|no|n't|isn't)\b[^.]*$/i;

/** Sentences that claim it, unless they deny it. */
export function groundClaims(text: string): string[] {
  const sentences = text.replace(/\s+/g, ' ').split(/(?<=[.!?])\s/);
  return sentences.filter((sentence) =>
    CLAIMS.some((claim) => {
      const found = claim.exec(sentence);
      return found !== null && !NEGATED.test(sentence.slice(0, found.index + found[0].length));
    }),
  );
}
