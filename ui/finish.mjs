// After the build: the fonts' licences, and the digest of the sources that tests/web/test_static.py computes too.
import { createHash } from "node:crypto";
import { appendFileSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(fileURLToPath(import.meta.url));
const built = join(root, "../src/treering/web/static");

for (const font of ["ibm-plex-mono", "ibm-plex-sans"]) {
  const licence = readFileSync(join(root, "node_modules/@fontsource", font, "LICENSE"), "utf8");
  appendFileSync(join(built, "licenses.md"), `\n## @fontsource/${font} (OFL-1.1)\n\n${licence}\n`);
}

const files = readdirSync(root, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile())
  .map((entry) => relative(root, join(entry.parentPath, entry.name)).split(sep).join("/"))
  .filter((path) => !path.startsWith("node_modules/") && !path.endsWith(".md"))
  .sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));

const hash = createHash("sha256");
for (const path of files) hash.update(`${path}\0`).update(readFileSync(join(root, path))).update("\0");
writeFileSync(join(built, "source.sha256"), `${hash.digest("hex")}\n`);
