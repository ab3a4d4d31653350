const FRAMEWORKS: Readonly<Record<string, string>> = { "owasp-llm": "OWASP", "owasp-agentic": "OWASP", "mitre-atlas": "ATLAS", "mitre-attack": "ATT&CK" };

/** The short name of a technique; one of an unknown framework stays as it is. */
export function brief(technique: string): string {
  const found = /^([\w-]+)(?:@[\w.]+)?:(.+)$/.exec(technique);
  const framework = found && FRAMEWORKS[found[1]!];
  return framework ? `${framework} ${found[2]}` : technique;
}
