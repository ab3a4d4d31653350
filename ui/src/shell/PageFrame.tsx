/** The frame of a page: its name, the time range, the keys that work everywhere. */
import { useEffect, useMemo, useState } from "react";
import type { ReactNode } from "react";
import { EXPLORE, go, useAddress, visit } from "../address/address";
import { useKeys } from "../address/keys";
import type { Keys } from "../address/keys";
import { prefer } from "../address/prefs";
import { Help } from "../dialogs/Help";
import { Palette } from "../dialogs/Palette";
import { IconButton } from "../parts/Button";
import { Icon } from "../parts/Icon";
import { openPopover } from "../parts/Popover";
import { Watched } from "../parts/Watched";
import { useStreams } from "../server/queries";
import type { Stream } from "../server/types";
import { millis, rangeOver, rfc3339 } from "../time/times";
import { TimePicker } from "../time/TimePicker";
import { PageContext, bucketOf, comparable } from "./page";
import { siteKeys } from "./sites";

interface Props {
  title: string;
  about?: ReactNode;
  dark: boolean;
  /** Controls between the title and the time range. */
  tools?: ReactNode;
  /** The length of the first range, where the link has none: as long as there is another such time before it. */
  compare?: boolean;
  /** Pages about things that have no time range. */
  timeless?: boolean;
  /** Pages about findings say when detectors have not read everything. */
  watched?: boolean;
  children: ReactNode;
}

const HOUR = 3600e3;

/** When the first record of all was, in milliseconds. */
function earliest(streams: readonly Stream[]): number | null {
  const first = streams.map((item) => item.first).filter((text): text is string => text !== null).sort()[0];
  return first === undefined ? null : millis(first);
}

/** The first range of a page: the last day, or, to compare it with the time before, as much as has one. */
function firstRange(streams: readonly Stream[], compare: boolean): { from: string; to: string } {
  const last = streams.map((item) => item.last).filter((text): text is string => text !== null).sort().at(-1) ?? null;
  const now = Date.now();
  const first = earliest(streams);
  const newest = last === null ? now : (millis(last) ?? now);
  if (newest < now - 24 * HOUR) return rangeOver(first === null ? null : rfc3339(first), last);
  const held = now - (first ?? now);
  if (!compare || held === 0) return { from: "now-24h", to: "now" };
  return { from: held > 36 * HOUR ? "now-24h" : held > 8 * HOUR ? "now-6h" : "now-1h", to: "now" };
}

export function PageFrame({ title, about, dark, tools, compare = false, timeless = false, watched = false, children }: Props) {
  const { from, to } = useAddress();
  const [tick, setTick] = useState(0);
  const [dialog, setDialog] = useState<"help" | "palette" | null>(null);
  const streams = useStreams(tick);
  useEffect(() => {
    if (!from && (streams.data || streams.isError)) go(firstRange(streams.data ?? [], compare), true);
  }, [from, streams.data, streams.isError]);
  useEffect(() => {
    document.title = `${title} · treering`;
  }, [title]);
  const refresh = () => setTick((value) => value + 1);
  const span = bucketOf(from || "now-24h", to);
  const compares = comparable(from, to, earliest(streams.data ?? []));
  const many = (streams.data ?? []).reduce((sum, stream) => sum + stream.rows, 0);
  const records = streams.data || streams.isError ? Number(many.toPrecision(1)) : null; // a rough figure, so that queries stay the same while records come in
  const state = useMemo(() => ({ from, to, tick, dark, span, refresh, compare: compares, records }), [from, to, tick, dark, span, compares, records]);
  const keys: Keys = {
    ...siteKeys(),
    "Mod+k": () => setDialog("palette"),
    "?": () => setDialog("help"),
    d: () => openPopover("time"),
    r: refresh,
    "/": () => visit(EXPLORE),
  };
  useKeys(keys);
  return (
    <div className="page">
      <header className="page-head">
        <h1>{title}</h1>
        {about && <p className="quiet about">{about}</p>}
        <span className="spring" />
        {tools}
        {!timeless && <TimePicker from={from || "now-24h"} to={to} live={false} canLive={null} onRefresh={refresh} />}
        {timeless && <IconButton icon="refresh" label="Refresh" keys="r" onClick={refresh} />}
        <button type="button" className="button find-command" aria-label="Commands" onClick={() => setDialog("palette")} title="Command palette">
          <Icon name="command" />
          <kbd>{/Mac|iPhone|iPad/.test(navigator.platform) ? "⌘K" : "Ctrl K"}</kbd>
        </button>
        <IconButton icon={dark ? "sun" : "moon"} label={dark ? "Light colours" : "Dark colours"} onClick={() => prefer({ theme: dark ? "light" : "dark" })} />
        <IconButton icon="help" label="Help" keys="?" onClick={() => setDialog("help")} />
      </header>
      <PageContext value={state}>
        {watched && <Watched />}
        {children}
      </PageContext>
      {dialog === "help" && <Help onClose={() => setDialog(null)} />}
      {dialog === "palette" && (
        <Palette streams={streams.data ?? []} onRun={(q) => visit(EXPLORE, { q })} onRefresh={refresh} onHelp={() => setTimeout(() => setDialog("help"))} onClose={() => setDialog(null)} />
      )}
    </div>
  );
}
