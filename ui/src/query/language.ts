/** PPL for the editor: colours, and the names that start a command. */
import { HighlightStyle, StreamLanguage, syntaxHighlighting } from "@codemirror/language";
import { tags } from "@lezer/highlight";
import { COMMANDS } from "./text";

const commands = new Set<string>(COMMANDS);
const WORDS = new Set(["and", "or", "not", "in", "like", "between", "by", "as", "xor", "is", "null", "true", "false", "source", "index", "contains", "regexp", "desc", "asc"]);

interface State {
  start: boolean;
  quote: string;
}

const ppl = StreamLanguage.define<State>({
  name: "ppl",
  startState: () => ({ start: true, quote: "" }),
  token(stream, state) {
    if (state.quote) {
      const quote = state.quote;
      while (!stream.eol()) {
        const char = stream.next();
        if (char === "\\" && quote !== "`") stream.next();
        else if (char === quote) {
          state.quote = "";
          break;
        }
      }
      return quote === "`" ? "variableName" : "string";
    }
    if (stream.eatSpace()) return null;
    const start = state.start;
    const char = stream.peek();
    if (char === '"' || char === "'" || char === "`") {
      state.quote = stream.next() as string;
      state.start = false;
      return char === "`" ? "variableName" : "string";
    }
    if (stream.match("|") || stream.match("[")) {
      state.start = true;
      return "punctuation";
    }
    state.start = false;
    if (stream.match(/^-?\d+(\.\d+)?([eE][+-]?\d+)?(ns|us|ms|[smhdwMqy])?\b/)) return "number";
    if (stream.match(/^[=<>!~]+|^[+\-*/%]/)) return "operator";
    if (stream.match(/^[@A-Za-z_*][\w@.*-]*/)) {
      const word = stream.current().toLowerCase();
      if (start && commands.has(word)) return "keyword";
      if (WORDS.has(word)) return "controlKeyword";
      if (stream.match(/^\s*\(/, false)) return "function";
      if (stream.match(/^\s*(=|!=|<|>|\bin\b)/i, false) || word.includes(".") || word.startsWith("@")) return "variableName";
      return null;
    }
    stream.next();
    return "punctuation";
  },
  tokenTable: { function: tags.function(tags.variableName) },
});

const colours = HighlightStyle.define([
  { tag: tags.keyword, color: "var(--accent)", fontWeight: "600" },
  { tag: tags.controlKeyword, color: "var(--accent)" },
  { tag: tags.function(tags.variableName), color: "var(--syntax-function)" },
  { tag: tags.variableName, color: "var(--syntax-field)" },
  { tag: tags.string, color: "var(--syntax-string)" },
  { tag: tags.number, color: "var(--syntax-number)" },
  { tag: [tags.operator, tags.punctuation], color: "var(--ink-3)" },
]);

export const pplLanguage = [ppl, syntaxHighlighting(colours)];
