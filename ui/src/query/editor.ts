/** The query editor: CodeMirror with completion from the server and marks under errors. */
import { acceptCompletion, autocompletion, closeBrackets, completionKeymap, completionStatus, moveCompletionSelection, selectedCompletion, startCompletion } from "@codemirror/autocomplete";
import type { CompletionContext, CompletionResult } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { bracketMatching } from "@codemirror/language";
import { EditorState, Prec, StateEffect, StateField } from "@codemirror/state";
import { Decoration, EditorView, keymap, placeholder } from "@codemirror/view";
import type { DecorationSet } from "@codemirror/view";
import { call } from "../server/client";
import type { Completion, Suggestion } from "../server/types";
import { pplLanguage } from "./language";
import { sent, toCharacters, toUnits } from "./text";

export interface Marked {
  from: number;
  to: number;
}

export interface Hooks {
  stream: () => string;
  run: () => void;
  changed: (text: string) => void;
  /** Step through earlier queries; false when there is nothing there. */
  recall: (step: 1 | -1) => boolean;
}

const setMark = StateEffect.define<Marked | null>();
const caret = Decoration.mark({ class: "cm-fault" });
const faults = StateField.define<DecorationSet>({
  create: () => Decoration.none,
  update(marks, transaction) {
    let next = transaction.docChanged ? Decoration.none : marks;
    for (const effect of transaction.effects)
      if (effect.is(setMark)) next = effect.value && effect.value.to > effect.value.from ? Decoration.set(caret.range(effect.value.from, effect.value.to)) : Decoration.none;
    return next;
  },
  provide: (field) => EditorView.decorations.from(field),
});

const TYPES: Record<Suggestion["kind"], string> = {
  command: "keyword", field: "property", function: "function", value: "text", stream: "namespace", keyword: "keyword", option: "property",
};

const complete =
  (hooks: Hooks) =>
  async (context: CompletionContext): Promise<CompletionResult | null> => {
    const text = context.state.doc.toString();
    const before = context.matchBefore(/[\w@.`"']+/);
    const waits = /[|=(,]\s*$/.test(text.slice(0, context.pos));
    if (!context.explicit && !before && !waits) return null;
    const out = sent(text, hooks.stream());
    const shift = out.query.length - text.length;
    const at = out.back(context.pos + shift) === context.pos ? context.pos + shift : context.pos;
    const controller = new AbortController();
    context.addEventListener("abort", () => controller.abort());
    try {
      const answer = await call<Completion>("/api/complete", { query: out.query, cursor: toCharacters(out.query, at) }, controller.signal);
      const from = out.back(toUnits(out.query, answer.from));
      const to = out.back(toUnits(out.query, answer.to));
      return {
        from: Math.min(from, context.pos),
        to: Math.max(to, context.pos),
        filter: false,
        options: answer.suggestions.map((item) => ({
          label: item.text,
          type: TYPES[item.kind],
          ...(item.detail ? { detail: item.detail } : {}),
          ...(item.values?.length ? { info: `most often: ${item.values.join(", ")}` } : {}),
        })),
      };
    } catch {
      return null; // Completion is a help: its failure must not stand in the way of typing.
    }
  };

const nextOrAccept = (view: EditorView): boolean => {
  if (completionStatus(view.state) !== "active") return false;
  if (!selectedCompletion(view.state)) moveCompletionSelection(true)(view);
  return acceptCompletion(view);
};

const onEdge = (view: EditorView, first: boolean): boolean => {
  const { head } = view.state.selection.main;
  const line = view.state.doc.lineAt(head).number;
  return completionStatus(view.state) !== "active" && line === (first ? 1 : view.state.doc.lines);
};

const keys = (hooks: Hooks) => {
  const run = () => {
    hooks.run();
    return true;
  };
  return Prec.highest(
    keymap.of([
      { key: "Mod-Enter", run },
      { key: "Shift-Enter", run: (view) => (view.dispatch(view.state.replaceSelection("\n")), true) },
      { key: "Enter", run: (view) => (completionStatus(view.state) === "active" && selectedCompletion(view.state) ? acceptCompletion(view) : run()) },
      { key: "Tab", run: nextOrAccept },
      { key: "Ctrl-Space", run: startCompletion },
      { key: "ArrowUp", run: (view) => onEdge(view, true) && hooks.recall(1) },
      { key: "ArrowDown", run: (view) => onEdge(view, false) && hooks.recall(-1) },
      { key: "Escape", run: (view) => (completionStatus(view.state) ? false : (view.contentDOM.blur(), true)) },
    ]),
  );
};

const look = EditorView.theme({
  "&": { fontFamily: "var(--mono)", fontSize: "13px", color: "var(--ink)", backgroundColor: "transparent", maxHeight: "9.5em" },
  "&.cm-focused": { outline: "none" },
  ".cm-scroller": { fontFamily: "inherit", lineHeight: "20px", overflow: "auto" },
  ".cm-content": { padding: "6px 0", caretColor: "var(--ink)" },
  ".cm-line": { padding: "0 10px" },
  ".cm-placeholder": { color: "var(--ink-3)", display: "inline-block", maxWidth: "100%", overflow: "hidden", textOverflow: "ellipsis", whiteSpace: "nowrap", verticalAlign: "top" },
  ".cm-cursor": { borderLeftColor: "var(--ink)", borderLeftWidth: "1.5px" },
  "&.cm-focused .cm-selectionBackground, .cm-selectionBackground, ::selection": { backgroundColor: "var(--select) !important" },
  ".cm-matchingBracket": { backgroundColor: "var(--select)", outline: "none" },
  ".cm-fault": { textDecoration: "underline wavy var(--error) 1.5px", textUnderlineOffset: "4px" },
  ".cm-tooltip": { backgroundColor: "var(--raised)", border: "1px solid var(--line-strong)", borderRadius: "6px", boxShadow: "var(--shadow)", overflow: "hidden" },
  ".cm-tooltip.cm-tooltip-autocomplete > ul": { fontFamily: "var(--mono)", fontSize: "12px", maxHeight: "18em", minWidth: "260px" },
  ".cm-tooltip.cm-tooltip-autocomplete > ul > li": { padding: "3px 10px", lineHeight: "18px", display: "flex", gap: "8px", alignItems: "baseline" },
  ".cm-tooltip.cm-tooltip-autocomplete > ul > li[aria-selected]": { backgroundColor: "var(--accent-soft)", color: "var(--ink)" },
  ".cm-completionIcon": { width: "14px", color: "var(--accent)", opacity: "1", paddingRight: "4px" },
  ".cm-completionDetail": { marginLeft: "auto", paddingLeft: "18px", color: "var(--ink-3)", fontStyle: "normal" },
});

/** Mount the editor under `parent`. It lives in a shadow root, where its styles need no exception from the page's policy. */
export function mountEditor(parent: HTMLElement, text: string, hooks: Hooks): EditorView {
  const root = parent.shadowRoot ?? parent.attachShadow({ mode: "open" });
  const state = EditorState.create({
    doc: text,
    extensions: [
      keys(hooks),
      history(),
      closeBrackets(),
      bracketMatching(),
      pplLanguage,
      autocompletion({ override: [complete(hooks)], selectOnOpen: false, interactionDelay: 0, activateOnTypingDelay: 120, icons: false }),
      keymap.of([...completionKeymap, ...defaultKeymap, ...historyKeymap]),
      placeholder("words, field=value, pipes: error serviceName=rag | stats count() by serviceName"),
      EditorView.lineWrapping,
      EditorView.contentAttributes.of({ "aria-label": "Query", spellcheck: "false" }),
      EditorView.updateListener.of((update) => update.docChanged && hooks.changed(update.state.doc.toString())),
      faults,
      look,
    ],
  });
  return new EditorView({ state, root, parent: root });
}

/** Replace the text; the cursor goes to its end. */
export function setText(view: EditorView, text: string): void {
  if (view.state.doc.toString() === text) return;
  view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: text }, selection: { anchor: text.length } });
}

/** Underline a fault, or none. */
export function setFault(view: EditorView, fault: Marked | null): void {
  const length = view.state.doc.length;
  const inside = fault && { from: Math.min(fault.from, length), to: Math.min(fault.to, length) };
  view.dispatch({ effects: setMark.of(inside) });
}
