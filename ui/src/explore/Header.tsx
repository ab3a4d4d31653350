import { prefer } from "../address/prefs";
import { brief } from "../histogram/plot";
import { IconButton } from "../parts/Button";
import { Icon } from "../parts/Icon";
import { bytes } from "../parts/units";
import type { Stream } from "../server/types";

interface Props {
  streams: readonly Stream[];
  failed: boolean;
  dark: boolean;
  onPalette: () => void;
  onHelp: () => void;
}

export function Header({ streams, failed, dark, onPalette, onHelp }: Props) {
  const rows = streams.reduce((sum, stream) => sum + stream.rows, 0);
  const size = streams.reduce((sum, stream) => sum + stream.bytes, 0);
  return (
    <header className="top">
      <h1>Explore</h1>
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
