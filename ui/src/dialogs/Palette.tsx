/** Every command by name; a trace id typed here opens that trace. */
import { useState } from "react";
import { EXPLORE, go, visit } from "../address/address";
import { prefer, usePrefs } from "../address/prefs";
import type { Stream } from "../server/types";
import { PRESETS, spoken } from "../time/times";
import { SITES } from "../shell/sites";
import { Dialog } from "./Dialog";

interface Command {
  title: string;
  group: string;
  keys?: string;
  act: () => void;
}

interface Props {
  streams: readonly Stream[];
  onRun: (query: string) => void;
  onRefresh: () => void;
  onHelp: () => void;
  onClose: () => void;
}

const TRACE_ID = /^[0-9a-fA-F]{32}$/;
const SHOWN = 14;

export function Palette({ streams, onRun, onRefresh, onHelp, onClose }: Props) {
  const saved = usePrefs();
  const [wanted, setWanted] = useState("");
  const [at, setAt] = useState(0);
  const typed = wanted.trim();
  const commands: Command[] = [
    ...(TRACE_ID.test(typed) ? [{ title: `Open trace ${typed}`, group: "go", act: () => visit(EXPLORE, { trace: typed }) }] : []),
    ...SITES.map((site) => ({ title: `${site.title}: ${site.about}`, group: "page", keys: `g ${site.key}`, act: () => visit(site.path) })),
    ...streams.map((stream) => ({ title: `Stream ${stream.name}`, group: "go", act: () => visit(EXPLORE, { stream: stream.name }) })),
    { title: "Refresh", group: "do", keys: "r", act: onRefresh },
    { title: "Follow live", group: "do", act: () => visit(EXPLORE, { live: true }) },
    ...saved.kept.map((query) => ({ title: query.slice(0, 200), group: "kept", act: () => onRun(query) })),
    { title: "Copy link to this view", group: "do", act: () => void navigator.clipboard?.writeText(window.location.href) },
    ...PRESETS.map((preset) => ({ title: `Time: ${spoken(preset)}`, group: "time", act: () => go({ from: `now-${preset}`, to: "now", live: false }) })),
    { title: saved.wrap ? "Cut long lines" : "Wrap long lines", group: "look", act: () => prefer({ wrap: !saved.wrap }) },
    { title: saved.dense ? "Comfortable rows" : "Dense rows", group: "look", act: () => prefer({ dense: !saved.dense }) },
    { title: saved.fields ? "Hide the fields" : "Show the fields", group: "look", act: () => prefer({ fields: !saved.fields }) },
    { title: saved.chart ? "Hide the histogram" : "Show the histogram", group: "look", act: () => prefer({ chart: !saved.chart }) },
    { title: saved.zone === "utc" ? "Local times" : "UTC times", group: "look", act: () => prefer({ zone: saved.zone === "utc" ? "local" : "utc" }) },
    ...(["light", "dark", "system"] as const).map((theme) => ({ title: `Theme: ${theme}`, group: "look", act: () => prefer({ theme }) })),
    { title: "Keys and queries", group: "help", keys: "?", act: onHelp },
    ...saved.history.slice(0, 20).map((query) => ({ title: query.slice(0, 200), group: "earlier", act: () => onRun(query) })),
  ];
  const words = typed.toLowerCase().split(/\s+/);
  const found = commands.filter((command) => words.every((word) => command.title.toLowerCase().includes(word))).slice(0, SHOWN);
  const chosen = Math.min(at, found.length - 1);
  const act = (command: Command | undefined) => {
    if (!command) return;
    onClose();
    command.act();
  };
  return (
    <Dialog label="Commands" className="palette" onClose={onClose}>
      <input
        autoFocus
        role="combobox"
        aria-expanded="true"
        aria-controls="palette-list"
        aria-activedescendant={`palette-${chosen}`}
        aria-label="Command or trace id"
        placeholder="A command, a stream, an earlier query or a trace id"
        value={wanted}
        spellCheck={false}
        onChange={(event) => {
          setWanted(event.target.value);
          setAt(0);
        }}
        onKeyDown={(event) => {
          const step = ({ ArrowDown: 1, ArrowUp: -1 } as Record<string, number>)[event.key];
          if (step && found.length) {
            event.preventDefault();
            setAt((chosen + step + found.length) % found.length);
          }
          if (event.key === "Enter") act(found[chosen]);
        }}
      />
      <ul id="palette-list" role="listbox" aria-label="Commands">
        {found.map((command, index) => (
          <li key={`${command.group} ${command.title}`} id={`palette-${index}`} role="option" aria-selected={index === chosen} onMouseMove={() => setAt(index)} onClick={() => act(command)}>
            <span className="name">{command.title}</span>
            {command.keys && <kbd>{command.keys}</kbd>}
            <span className="quiet">{command.group}</span>
          </li>
        ))}
        {found.length === 0 && <li className="quiet pad">Nothing is called that.</li>}
      </ul>
    </Dialog>
  );
}
