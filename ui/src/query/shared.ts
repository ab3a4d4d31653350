/** A query as other programs take it. Pasted into a shell, a configuration or a dashboard it asks the same. */

export interface Asked {
  query: string;
  from: string;
  to: string;
}

/** `text` as one word of a POSIX shell. */
export const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

// A TOML string: what JSON escapes, and DEL.
const toml = (text: string): string => JSON.stringify(text).replaceAll("\u007f", "\\u007F");

const NAME = 48;
const named = (query: string): string => query.replace(/\s+/g, " ").trim().slice(0, NAME);

export const asCurl = ({ query, from, to }: Asked, origin: string): string =>
  `curl -s ${quoted(`${origin}/api/query`)} -H 'content-type: application/json' -d ${quoted(JSON.stringify({ query, from, to }))}`;

export const asCommand = ({ query, from, to }: Asked): string =>
  `treering query ${quoted(query)} --from ${quoted(from)}${to === "now" ? "" : ` --to ${quoted(to)}`}`;

/** A rule that rings when the query's first number is above 0; a query for records rings by their number. */
export const asAlert = ({ query }: Asked, counts: boolean): string =>
  `[[alerts.rules]]\nname = ${toml(named(query))}\nquery = ${toml(counts ? query : `${query} | stats count() as records`)}\nabove = 0\nwindow = "5m"\nseverity = "medium"`;

export const asPanel = ({ query }: Asked, counts: boolean): string =>
  `[[panels]]\ntitle = ${toml(named(query))}\nkind = "table"\nquery = ${toml(counts ? query : `${query} | head 100`)}`;
