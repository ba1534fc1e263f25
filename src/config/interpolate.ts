/**
 * `${VAR}` and `${VAR:default}` in configuration values, taken from the environment. An empty variable counts as unset; `$${` is a
 * literal `${`.
 * Only values are interpolated, after YAML has been parsed: what a variable holds can't change the document's structure.
 */

/** The text with its variables replaced; `found` names those that are set, `missing` those that are not and have no default. */
export function interpolate(
  text: string,
  env: Readonly<Record<string, string | undefined>>,
): { text: string; found: string[]; missing: string[] } {
  const found: string[] = []
  const missing: string[] = []
  const replaced = text.replaceAll(
    /\$(\$\{)|\$\{([A-Za-z_][A-Za-z0-9_]*)(?::([^}]*))?\}/g,
    (_, escaped, name: string, fallback?: string) => {
      if (escaped !== undefined) return '${'
      const value = env[name]
      if (value !== undefined && value !== '') {
        found.push(name)
        return value
      }
      if (fallback === undefined) missing.push(name)
      return fallback ?? ''
    },
  )
  return { text: replaced, found, missing }
}

/** Whether the text refers to the environment (or escapes such a reference). */
export function hasVariable(text: string): boolean {
  return text.includes('${')
}
