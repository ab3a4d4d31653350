/** The time range: usual ones, exact ones, wider, again, live. */
import { useState } from "react";
import { go } from "../address/address";
import { prefer, usePrefs } from "../address/prefs";
import { IconButton } from "../parts/Button";
import { Icon } from "../parts/Icon";
import { Popover } from "../parts/Popover";
import { PRESETS, isRelative, long, millis, rangeLabel, spoken, typed, zoneName, zoomedOut } from "./times";

interface Props {
  from: string;
  to: string;
  live: boolean;
  /** Null where nothing can be followed. */
  canLive: boolean | null;
  onRefresh: () => void;
}

export function TimePicker({ from, to, live, canLive, onRefresh }: Props) {
  return (
    <div className="time" role="group" aria-label="Time range">
      <Popover
        label="Time range"
        name="time"
        className="button wide"
        align="right"
        button={
          <>
            <Icon name="clock" />
            <span data-testid="range">{rangeLabel(from, to)}</span>
            <Icon name="down" />
          </>
        }
      >
        {(close) => <Panel from={from} to={to} close={close} />}
      </Popover>
      <IconButton icon="zoomOut" label="Zoom out" onClick={() => go(zoomedOut(from, to))} />
      <IconButton icon="refresh" label="Refresh" keys="r" onClick={onRefresh} />
      {canLive !== null && (
        <button
          type="button"
          className={`button live ${live ? "on" : ""}`}
          aria-pressed={live}
          disabled={!canLive}
          title={canLive ? "Show records as they arrive" : "Only a query of search and where can be followed live"}
          onClick={() => go({ live: !live, open: null })}
        >
          <span className="dot" aria-hidden="true" />
          Live
        </button>
      )}
    </div>
  );
}

const shown = (text: string) => {
  if (isRelative(text)) return text;
  const ms = millis(text);
  return ms === null ? text : long(ms);
};

function Panel({ from, to, close }: { from: string; to: string; close: () => void }) {
  const { zone } = usePrefs();
  const [start, setStart] = useState(shown(from));
  const [end, setEnd] = useState(shown(to));
  const [wrong, setWrong] = useState("");
  const use = (range: { from: string; to: string }) => {
    go({ ...range, live: false });
    close();
  };
  const apply = () => {
    const range = { from: typed(start), to: typed(end) };
    if (range.from === null || range.to === null) return setWrong(`${range.from === null ? "From" : "To"} is no time`);
    if (millis(range.from)! >= millis(range.to)!) return setWrong("From must be before To");
    return use({ from: range.from, to: range.to });
  };
  return (
    <div className="time-panel">
      <div className="presets">
        {PRESETS.map((preset) => (
          <button
            key={preset}
            type="button"
            aria-pressed={from === `now-${preset}` && to === "now"}
            onClick={() => use({ from: `now-${preset}`, to: "now" })}
          >
            {spoken(preset)}
          </button>
        ))}
      </div>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          apply();
        }}
      >
        <label>
          From
          <input data-autofocus value={start} onChange={(event) => setStart(event.target.value)} spellCheck={false} />
        </label>
        <label>
          To
          <input value={end} onChange={(event) => setEnd(event.target.value)} spellCheck={false} />
        </label>
        <p className="quiet">2026-11-24 08:00 or now-90m. From is included, To is not.</p>
        {wrong && (
          <p className="wrong" role="alert">
            {wrong}
          </p>
        )}
        <button type="submit" className="button primary">
          Use this range
        </button>
        <div className="zone">
          <span>Times in {zoneName()}</span>
          {Intl.DateTimeFormat().resolvedOptions().timeZone !== "UTC" && (
            <button type="button" className="text-button" onClick={() => prefer({ zone: zone === "utc" ? "local" : "utc" })}>
              {zone === "utc" ? "use local time" : "use UTC"}
            </button>
          )}
        </div>
      </form>
    </div>
  );
}
