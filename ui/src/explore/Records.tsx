/** The record list with its toolbar: found ones, or those that arrive. */
import { useCallback } from "react";
import { go } from "../address/address";
import type { Address } from "../address/address";
import { prefer, usePrefs } from "../address/prefs";
import { brief } from "../histogram/plot";
import { IconButton } from "../parts/Button";
import { Icon } from "../parts/Icon";
import { Broken, Waiting } from "../parts/State";
import { Columns } from "../records/Columns";
import { RecordTable } from "../records/RecordTable";
import type { Line } from "../records/RecordTable";
import type { useRecords } from "../server/queries";
import type { Field, Row, Stream } from "../server/types";
import type { Tail } from "../tail/tail";
import { NoMatch } from "./Empty";

interface Props {
  address: Address;
  lines: readonly Line[];
  columns: readonly string[];
  fields: readonly Field[];
  total: number | null;
  cursor: number;
  search: ReturnType<typeof useRecords>;
  tail: Tail;
  streams: readonly Stream[] | null;
  onOpen: (row: Row, index: number) => void;
  onRun: (query: string) => void;
}

const counted = (records: number): string => `${records.toLocaleString("en")} ${records === 1 ? "record" : "records"}`;

export function Records({ address, lines, columns, fields, total, cursor, search, tail, streams, onOpen, onRun }: Props) {
  const saved = usePrefs();
  const { live } = address;
  const { hasNextPage, isFetchingNextPage, fetchNextPage, isFetchNextPageError } = search;
  const more = useCallback(() => {
    if (!live && hasNextPage && !isFetchingNextPage && !isFetchNextPageError) void fetchNextPage();
  }, [live, hasNextPage, isFetchingNextPage, isFetchNextPageError, fetchNextPage]);
  const took = search.data?.pages[0]?.took_ms;

  let body;
  if (lines.length > 0) {
    const foot = live ? null : isFetchNextPageError ? (
      <p className="foot" role="alert">
        The next records did not come. <button type="button" className="text-button" onClick={() => void fetchNextPage()}>Try again</button>
      </p>
    ) : (
      <p className="foot">{hasNextPage ? "Fetching more" : `End: ${counted(lines.length)}`}</p>
    );
    body = (
      <RecordTable
        lines={lines}
        columns={columns}
        open={address.open}
        cursor={cursor}
        order={live ? "desc" : address.order}
        onOpen={onOpen}
        onOrder={() => go({ order: address.order === "desc" ? "asc" : "desc" }, true)}
        onEnd={more}
        foot={foot}
      />
    );
  } else if (live) {
    body = (
      <div className="state" role="status">
        <span className="rings" aria-hidden="true" />
        <p>{tail.state === "lost" ? "The connection is lost; trying again" : "Waiting for records to arrive"}</p>
        <p className="quiet">Records that match the query appear here the moment they are stored.</p>
      </div>
    );
  } else if (search.isError) {
    body = <Broken error={search.error} again={() => void search.refetch()} />;
  } else if (search.isPending) {
    body = <Waiting what="Searching" />;
  } else {
    const stream = streams?.find((item) => item.name === address.stream) ?? null;
    body = <NoMatch stream={stream} from={address.from} to={address.to} query={address.q} onRun={onRun} />;
  }
  return (
    <section className="list" aria-label="Found records">
      <div className="toolbar">
        {live ? <LiveBar tail={tail} /> : <strong data-testid="total">{total === null ? "…" : counted(total)}</strong>}
        {!live && took !== undefined && <span className="quiet" title={`${lines.length.toLocaleString("en")} loaded`}>{brief(Math.round(took))} ms</span>}
        <span className="spring" />
        {!saved.fields && <IconButton icon="panel" label="Show the fields" onClick={() => prefer({ fields: true })} />}
        <button type="button" className="button quiet-button" aria-pressed={saved.wrap} onClick={() => prefer({ wrap: !saved.wrap })}>
          <Icon name="wrap" />
          <span>Wrap</span>
        </button>
        <button type="button" className="button quiet-button" aria-pressed={saved.dense} onClick={() => prefer({ dense: !saved.dense })}>
          <Icon name="rows" />
          <span>Dense</span>
        </button>
        <Columns columns={columns} fields={fields} onChange={(cols) => go({ cols }, true)} />
      </div>
      {body}
    </section>
  );
}

/** How the live tail does: whether it is connected, what came, what was missed. */
function LiveBar({ tail }: { tail: Tail }) {
  const said = tail.state === "lost" ? "Connection lost, trying again" : tail.paused ? "Paused" : tail.state === "open" ? "Live" : "Connecting";
  return (
    <div className={`live-bar ${tail.state} ${tail.paused ? "paused" : ""}`} role="status" data-testid="live">
      <span className="dot" aria-hidden="true" />
      <strong>{said}</strong>
      <button type="button" className="button quiet-button" aria-pressed={tail.paused} onClick={() => tail.pause(!tail.paused)}>
        <Icon name={tail.paused ? "play" : "pause"} />
        {tail.paused ? (tail.waiting ? `Show ${tail.waiting.toLocaleString("en")} new` : "Go on") : "Pause"}
      </button>
      <span className="quiet">{tail.received.toLocaleString("en")} arrived</span>
      {tail.dropped > 0 && <span className="missed">{tail.dropped.toLocaleString("en")} not shown</span>}
    </div>
  );
}
