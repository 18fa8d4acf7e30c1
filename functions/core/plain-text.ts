/** Text that others chose, for reports that terminals and mail show: what cannot be seen as it is becomes U+FFFD. */
export function cleaned(text: string): string {
  return text.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, '\u{fffd}');
}
