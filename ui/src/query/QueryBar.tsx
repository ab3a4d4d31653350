/** The query: its stream, its text, its history, and what is wrong with it. */
import type { EditorView } from "@codemirror/view";
import { useEffect, useRef } from "react";
import { go } from "../address/address";
import { prefs } from "../address/prefs";
import { Icon } from "../parts/Icon";
import { Popover } from "../parts/Popover";
import type { Failure } from "../server/client";
import type { Stream } from "../server/types";
import { History } from "./History";
import { mountEditor, setFault, setText } from "./editor";
import { hasSource, located, sent } from "./text";

interface Props {
  text: string;
  stream: string;
  streams: readonly Stream[];
  busy: boolean;
  failure: Failure | null;
  onRun: (text: string) => void;
  /** Told how to focus the editor and how to run what is in it. */
  onReady: (handle: { focus: () => void; run: () => void }) => void;
}

export function QueryBar({ text, stream, streams, busy, failure, onRun, onReady }: Props) {
  const host = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView | null>(null);
  const live = useRef({ stream, onRun, place: -1, draft: "" });
  live.current = { ...live.current, stream, onRun };

  useEffect(() => {
    const run = () => live.current.onRun(editor.state.doc.toString());
    const recall = (step: 1 | -1) => {
      const { place, draft } = live.current;
      const next = place + step;
      const items = prefs().history;
      if (next < -1 || next >= items.length) return false;
      const kept = place === -1 ? editor.state.doc.toString() : draft;
      setText(editor, next === -1 ? kept : items[next]!);
      live.current.place = next;
      live.current.draft = kept;
      return true;
    };
    const changed = () => {
      live.current.place = -1;
    };
    const editor = mountEditor(host.current!, text, { stream: () => live.current.stream, run, changed, recall });
    view.current = editor;
    onReady({ focus: () => editor.focus(), run });
    return () => editor.destroy();
    // The editor is made once and then told of changes.
  }, []);

  useEffect(() => {
    if (view.current) setText(view.current, text);
  }, [text]);

  useEffect(() => {
    const position = failure?.position;
    if (view.current) setFault(view.current, position ? located(position, sent(text, stream), text) : null);
  }, [failure, text, stream]);

  const own = hasSource(text);
  return (
    <div className="query">
      <div className={`query-box ${failure ? "faulty" : ""}`}>
        <label className="stream" title={own ? "the query names its own source" : "the stream that the query reads"}>
          <span className="visually-hidden">Stream</span>
          <select value={own ? "" : stream} disabled={own} onChange={(event) => go({ stream: event.target.value, cols: null, open: null })}>
            {own && <option value="">source in query</option>}
            {!streams.some((item) => item.name === stream) && <option value={stream}>{stream}</option>}
            {streams.map((item) => (
              <option key={item.name} value={item.name}>
                {item.name}
              </option>
            ))}
          </select>
        </label>
        <div className="editor" ref={host} data-testid="query" />
        <Popover label="Kept and earlier queries" className="icon-button" align="right" button={<Icon name="history" />}>
          {(close) => (
            <History text={text} onRun={(item) => (close(), onRun(item))} />
          )}
        </Popover>
        <button type="button" className="run" title="Run (Enter or Ctrl+Enter)" aria-busy={busy} onClick={() => onRun(view.current?.state.doc.toString() ?? text)}>
          Run
        </button>
      </div>
      {failure && <Fault failure={failure} text={text} stream={stream} />}
    </div>
  );
}

/** The line at fault with carets under it, as a terminal shows it. */
function Fault({ failure, text, stream }: { failure: Failure; text: string; stream: string }) {
  const place = failure.position ? located(failure.position, sent(text, stream), text) : null;
  let excerpt = null;
  if (place) {
    const start = text.lastIndexOf("\n", place.from - 1) + 1;
    const end = text.indexOf("\n", place.from);
    const line = text.slice(start, end < 0 ? undefined : end);
    const left = Math.max(0, place.from - start - 60);
    const carets = "^".repeat(Math.max(1, Math.min(place.to - place.from, line.length - (place.from - start))));
    excerpt = `${left ? "…" : ""}${line.slice(left, left + 160)}\n${" ".repeat(place.from - start - left + (left ? 1 : 0))}${carets}`;
  }
  return (
    <div className="fault" role="alert" data-testid="fault">
      <Icon name="alert" />
      <div>
        <strong>{failure.message}</strong>
        {excerpt && <pre>{excerpt}</pre>}
        {failure.hint && <p>{failure.hint}</p>}
      </div>
    </div>
  );
}
