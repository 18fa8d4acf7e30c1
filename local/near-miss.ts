import { editDistance } from './world/parse/near-miss.ts';

/** Of known words the one that was probably meant; null = none is near. */
export function nearMiss(word: string, known: readonly string[]): string | null {
  const given = word.toLowerCase();
  // Two slips in a long word, one in a short one.
  const allowed = given.length > 4 ? 2 : 1;
  const ranked = known
    .map((candidate) => ({ candidate, distance: editDistance(given, candidate.toLowerCase()) }))
    .filter(({ distance }) => distance <= allowed)
    .sort((a, b) => a.distance - b.distance);
  return ranked[0]?.candidate ?? null;
}

/** What to say of a word that is not known: the one that was probably meant, or `otherwise`. */
export function adviceFor(word: string, known: readonly string[], otherwise: string): string {
  const meant = nearMiss(word, known);
  return meant === null ? otherwise : `did you mean ${meant}?`;
}
