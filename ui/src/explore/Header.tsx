import { prefer } from "../address/prefs";
import { brief } from "../histogram/plot";
import { IconButton } from "../parts/Button";
import { Icon, Mark } from "../parts/Icon";
import type { Stream } from "../server/types";

interface Props {
  streams: readonly Stream[];
  failed: boolean;
  dark: boolean;
  onPalette: () => void;
  onHelp: () => void;
}

const bytes = (count: number): string => {
  const units = ["B", "kB", "MB", "GB", "TB"];
  const step = count > 0 ? Math.min(Math.floor(Math.log10(count) / 3), units.length - 1) : 0;
  return `${Number((count / 1000 ** step).toPrecision(3))} ${units[step]}`;
};

export function Header({ streams, failed, dark, onPalette, onHelp }: Props) {
  const rows = streams.reduce((sum, stream) => sum + stream.rows, 0);
  const size = streams.reduce((sum, stream) => sum + stream.bytes, 0);
  return (
    <header className="top">
      <a className="brand" href={window.location.pathname} aria-label="treering, start again">
        <Mark />
        treering
      </a>
      <span className={`store ${failed ? "bad" : ""}`} role="status">
        {failed ? "the server does not answer" : `${brief(rows)} records in ${streams.length} ${streams.length === 1 ? "stream" : "streams"}, ${bytes(size)} on disk`}
      </span>
      <span className="spring" />
      <button type="button" className="button find-command" onClick={onPalette} title="Command palette">
        <Icon name="command" />
        <span>Commands</span>
        <kbd>{/Mac|iPhone|iPad/.test(navigator.platform) ? "⌘K" : "Ctrl K"}</kbd>
      </button>
      <IconButton icon={dark ? "sun" : "moon"} label={dark ? "Light colours" : "Dark colours"} onClick={() => prefer({ theme: dark ? "light" : "dark" })} />
      <IconButton icon="help" label="Help" keys="?" onClick={onHelp} />
    </header>
  );
}
