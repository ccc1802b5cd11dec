/** In UTF-16 units: NFKC takes quadratic time for badly ordered marks. A longer text is no username in any form. */
const longestFolded = 1_000;

/** The stored form of a username. What differs in case, width or composition alone is the same name. */
export function foldUsername(text: string): string {
  return text.length > longestFolded ? text : text.trim().normalize('NFKC').toLowerCase();
}
