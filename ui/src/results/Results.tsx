/** The answer of a query with stats, timechart and the like: a table, and a picture where one can be drawn. */
import { useMemo } from "react";
import { go } from "../address/address";
import type { View } from "../address/address";
import { Icon } from "../parts/Icon";
import { brief } from "../histogram/plot";
import { TABLE_ROWS } from "../server/queries";
import type { Answer } from "../server/types";
import { NameChart, TimeChart } from "./ResultChart";
import { ResultTable } from "./ResultTable";
import { csv, drawable } from "./pivot";

const VIEWS: readonly [View, string][] = [["table", "Table"], ["bars", "Bars"], ["lines", "Lines"]];

function download(answer: Answer): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([csv(answer)], { type: "text/csv;charset=utf-8" }));
  link.download = "treering.csv";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

export function Results({ answer, view, dark }: { answer: Answer; view: View; dark: boolean }) {
  const drawn = useMemo(() => drawable(answer), [answer]);
  const usable = VIEWS.filter(([id]) => id === "table" || (drawn && (drawn.kind === "time" || id === "bars")));
  const wanted = view === "auto" ? (drawn?.kind === "time" ? "bars" : "table") : view;
  const shown = usable.some(([id]) => id === wanted) ? wanted : "table";
  const scanned = [answer.rows_scanned !== undefined && `${brief(answer.rows_scanned)} rows read`, answer.took_ms !== undefined && `${Math.round(answer.took_ms)} ms`].filter(Boolean).join(" · ");
  return (
    <section className="results" aria-label="Answer">
      <div className="toolbar">
        <strong data-testid="total">{answer.datarows.length.toLocaleString("en")} rows</strong>
        {(answer.total > answer.datarows.length || answer.datarows.length >= TABLE_ROWS) && <span className="quiet">of {answer.total.toLocaleString("en")}; add head or a filter to see others</span>}
        <span className="quiet">{scanned}</span>
        <span className="spring" />
        <div className="switch" role="group" aria-label="Show as">
          {usable.map(([id, title]) => (
            <button key={id} type="button" aria-pressed={shown === id} onClick={() => go({ view: id }, true)}>
              {title}
            </button>
          ))}
        </div>
        <button type="button" className="button quiet-button" onClick={() => download(answer)}>
          <Icon name="download" />
          CSV
        </button>
      </div>
      {answer.datarows.length === 0 ? (
        <div className="state">
          <p>The query gives no rows in this time range.</p>
        </div>
      ) : (
        <>
          {shown !== "table" && drawn?.kind === "time" && <TimeChart drawn={drawn} bars={shown === "bars"} dark={dark} />}
          {shown === "bars" && drawn?.kind === "names" && <NameChart drawn={drawn} />}
          {(shown === "table" || drawn?.kind === "time") && <ResultTable answer={answer} />}
        </>
      )}
    </section>
  );
}
