/** The Explore page: a question at the top, its answer below. */
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { go, useAddress } from "../address/address";
import { prefer, remember, usePrefs } from "../address/prefs";
import { Help } from "../dialogs/Help";
import { Palette } from "../dialogs/Palette";
import { FieldList } from "../fields/FieldList";
import { Histogram } from "../histogram/Histogram";
import { openPopover } from "../parts/Popover";
import { Broken, Waiting } from "../parts/State";
import { QueryBar } from "../query/QueryBar";
import { narrowed, sent } from "../query/text";
import { toggled } from "../records/Columns";
import { Drawer } from "../records/Drawer";
import { defaultColumns, fieldAt, traceOf } from "../records/paths";
import { Results } from "../results/Results";
import { Failure } from "../server/client";
import { isEmpty, useCounts, useFields, useParsed, useRecords, useStreams, useTable } from "../server/queries";
import type { Json, Row } from "../server/types";
import { siteKeys } from "../shell/sites";
import { Share } from "../query/Share";
import { useTail } from "../tail/tail";
import { isRelative, rangeOver } from "../time/times";
import { TimePicker } from "../time/TimePicker";
import { TraceView } from "../trace/TraceView";
import { FirstSteps } from "./Empty";
import { Header } from "./Header";
import { Records } from "./Records";
import { useKeys } from "../address/keys";

const LIVE_COUNTS_MS = 5000;
const MESSAGES = ["body", "message", "msg", "log", "event", "name"];

export default function Explore({ dark }: { dark: boolean }) {
  const address = useAddress();
  const saved = usePrefs();
  const [tick, setTick] = useState(0);
  const [cursor, setCursor] = useState(-1);
  const [dialog, setDialog] = useState<"help" | "palette" | null>(null);
  const editor = useRef({ focus: () => {}, run: () => {} });

  const streams = useStreams(tick);
  const stream = streams.data?.find((item) => item.name === address.stream);
  // No time in the link: start where the records are.
  useEffect(() => {
    if (!address.from && (streams.data || streams.isError)) go(rangeOver(stream?.first ?? null, stream?.last ?? null), true);
  }, [address.from, streams.data, streams.isError]);

  const { query } = sent(address.q, address.stream);
  const question = useMemo(() => ({ query, from: address.from, to: address.to, tick }), [query, address.from, address.to, tick]);
  const ready = address.from !== "";
  const parsed = useParsed(question);
  const kind = parsed.data?.kind;
  const source = parsed.data?.sources[0] ?? address.stream;
  const live = address.live && kind === "records";
  const asksRecords = ready && kind === "records";
  const search = useRecords(question, address.order, asksRecords && !live);
  const counts = useCounts(question, ready && kind !== undefined && saved.chart, live && isRelative(address.to) ? LIVE_COUNTS_MS : false);
  const totals = useCounts(question, ready && asksRecords && !saved.chart && !live, false);
  const table = useTable(question, ready && kind === "table");
  const fields = useFields(source, tick);
  const tail = useTail(query, live);

  const lines = useMemo(
    () => (live ? tail.lines : (search.data?.pages.flatMap((page) => page.records.map((row) => ({ row }))) ?? [])),
    [live, tail.lines, search.data],
  );
  const rows = useMemo(() => lines.map((line) => line.row), [lines]);
  const columns = address.cols ?? defaultColumns(source);
  const opened = useMemo(() => rows.find((row) => row.ref === address.open) ?? null, [rows, address.open]);
  const nothing = isEmpty(streams.data);
  const failure = nothing ? null : ([parsed.error, table.error, search.error].find((error): error is Failure => error instanceof Failure && error.status === 400) ?? null);
  const fieldNames = fields.data ?? [];
  // The first records have come: ask again what failed or found nothing before.
  const wasEmpty = useRef(false);
  useEffect(() => {
    if (wasEmpty.current && !nothing) setTick((value) => value + 1);
    wasEmpty.current = nothing;
  }, [nothing]);

  const refresh = () => setTick((value) => value + 1);
  const run = (text: string) => {
    remember(text);
    setCursor(-1);
    if (text === address.q) refresh();
    else go({ q: text, open: null, trace: null, span: null, view: "auto" });
  };
  const filter = (field: string, value: Json, exclude: boolean) =>
    run(narrowed(address.q, field, value, exclude, fieldNames.find((item) => item.name === field)?.type));
  const filterSpans = (field: string, value: Json, exclude: boolean) => {
    const text = narrowed("", field, value, exclude); // the stream of spans may not have been looked at: types unknown
    remember(text);
    go({ q: text, stream: "spans", trace: null, span: null, open: null, cols: null });
  };
  const column = (name: string) => go({ cols: toggled(columns, name) }, true);
  const open = useCallback((row: Row, index: number) => {
    setCursor(index);
    go({ open: row.ref });
  }, []);
  const trace = (id: string) => go({ trace: id, span: null });
  useEffect(() => setCursor(-1), [question, live]);

  const at = cursor >= 0 ? cursor : rows.findIndex((row) => row.ref === address.open);
  const row = rows[at];
  const step = (by: 1 | -1) => {
    const next = Math.min(Math.max(at + by, 0), rows.length - 1);
    const to = rows[next];
    if (!to) return;
    setCursor(next);
    if (address.open) go({ open: to.ref }, true);
  };
  const exclude = () => {
    // An access log's message says more than its field holds.
    const said = (name: string): string => {
      const value = row && fieldAt(row.record, name);
      return typeof value === "string" ? value : "";
    };
    const name = MESSAGES.find((item) => said(item) !== "" && row?.message?.startsWith(said(item)));
    if (name) filter(name, said(name), true);
  };
  const escape = () => {
    if (address.trace) go({ trace: null, span: null });
    else if (address.open) go({ open: null });
    else setCursor(-1);
  };
  const inList = (act: () => void) => () => !address.trace && act();
  useKeys({
    "/": () => editor.current.focus(),
    "Mod+k": () => setDialog("palette"),
    "Mod+Enter": () => editor.current.run(),
    "Mod+enter": () => editor.current.run(),
    "?": () => setDialog("help"),
    d: () => openPopover("time"),
    r: refresh,
    j: inList(() => step(1)),
    k: inList(() => step(-1)),
    ArrowDown: inList(() => step(1)),
    ArrowUp: inList(() => step(-1)),
    Enter: inList(() => row && go({ open: row.ref })),
    Escape: escape,
    x: inList(exclude),
    c: inList(() => row && go({ open: row.ref, tab: "context" })),
    t: inList(() => {
      const id = row && traceOf(row.record);
      if (id) trace(id);
    }),
    ...siteKeys(),
  });
  useEffect(() => {
    document.title = "Explore · treering";
  }, []);

  const total = (counts.data ?? totals.data)?.total ?? null;
  const busy = parsed.isFetching || search.isFetching || table.isFetching;
  return (
    <div className="page">
      <Header streams={streams.data ?? []} failed={streams.isError} dark={dark} onPalette={() => setDialog("palette")} onHelp={() => setDialog("help")} />
      <div className="ask">
        <QueryBar text={address.q} stream={address.stream} streams={streams.data ?? []} busy={busy} failure={failure} onRun={run} onReady={(handle) => (editor.current = handle)} />
        <TimePicker from={address.from || "now-1h"} to={address.to} live={live} canLive={kind !== "table"} onRefresh={refresh} />
        <Share shown={address} counts={kind === "table"} />
      </div>
      <div className={`progress ${busy ? "on" : ""}`} role="presentation" />
      {address.trace ? (
        <TraceView key={address.trace} id={address.trace} span={address.span} onFilter={filterSpans} onClose={() => go({ trace: null, span: null })} />
      ) : (
        <>
          {saved.chart && counts.data && counts.data.total > 0 && !failure && <Histogram counts={counts.data} stale={counts.isPlaceholderData} dark={dark} />}
          <main className="body">
            {saved.fields && kind !== "table" && !nothing && (
              <FieldList fields={fieldNames} rows={rows} question={failure || !ready ? null : question} columns={columns} onColumn={column} onFilter={filter} onHide={() => prefer({ fields: false })} />
            )}
            {nothing && !live ? (
              <FirstSteps />
            ) : failure ? (
              <div className="state">
                <p>The query cannot run as it is.</p>
                <p className="quiet">The place is marked above. Press ? for examples.</p>
              </div>
            ) : kind === undefined ? (
              parsed.isError ? <Broken error={parsed.error} again={refresh} /> : <Waiting what="Reading the query" />
            ) : kind === "table" ? (
              table.data ? <Results answer={table.data} view={address.view} dark={dark} /> : table.error ? <Broken error={table.error} again={refresh} /> : <Waiting what="Counting" />
            ) : (
              <Records address={address} lines={lines} columns={columns} fields={fieldNames} total={total} cursor={at} search={search} tail={tail} streams={streams.data ?? null} onOpen={open} onRun={run} />
            )}
            {address.open && (
              <Drawer key={address.open} reference={address.open} row={opened} tab={address.tab} fields={fieldNames} columns={columns} onColumn={column} onFilter={filter} onTrace={trace} onClose={() => go({ open: null })} />
            )}
          </main>
        </>
      )}
      {dialog === "help" && <Help onClose={() => setDialog(null)} />}
      {dialog === "palette" && <Palette streams={streams.data ?? []} onRun={run} onRefresh={refresh} onHelp={() => setTimeout(() => setDialog("help"))} onClose={() => setDialog(null)} />}
    </div>
  );
}
