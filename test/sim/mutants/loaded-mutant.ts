/** The mutant whose fault was put into the sources of this process; undefined in a sound one. */
export function loadedMutant(): string | undefined {
  return (globalThis as { readonly conclaveMutant?: string }).conclaveMutant;
}
