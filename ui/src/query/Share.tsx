/** The query to take along: a link, a command, an alert, a panel. */
import { CopyButton } from "../parts/CopyButton";
import { Icon } from "../parts/Icon";
import { Popover } from "../parts/Popover";
import { address, EXPLORE } from "../address/address";
import type { Address } from "../address/address";
import { useThere } from "../server/status";
import { isRelative, millis, rfc3339 } from "../time/times";
import { asAlert, asCommand, asCurl, asPanel } from "./shared";
import { sent } from "./text";

/** A link that shows the same time range whenever it is opened. */
function fixed(shown: Address): string {
  const at = (time: string) => {
    const ms = isRelative(time) ? millis(time) : null;
    return ms === null ? time : rfc3339(ms);
  };
  return window.location.origin + address(EXPLORE, { ...shown, from: at(shown.from || "now-1h"), to: at(shown.to) });
}

export function Share({ shown, counts }: { shown: Address; counts: boolean }) {
  const asked = { query: sent(shown.q, shown.stream).query.trim().replace(/\s*\|$/, ""), from: shown.from || "now-1h", to: shown.to };
  const there = useThere();
  const ways: readonly (readonly [string, string, string])[] = [
    ["Command line", "treering query", asCommand(asked) + there],
    ["HTTP", "curl", asCurl(asked, window.location.origin)],
    ["Alert", "in treering.toml", asAlert(asked, counts)],
    ["Dashboard panel", "in a file of the dashboards' folder", asPanel(asked, counts)],
  ];
  return (
    <Popover label="Share" align="right" name="share" button={<><Icon name="link" /> <span>Share</span></>}>
      {() => (
        <div className="share-panel">
          <p className="acts">
            <CopyButton icon="link" wide label="Copy link" text={() => window.location.href} />
            <CopyButton icon="link" wide label="Copy link with this time fixed" text={() => fixed(shown)} />
          </p>
          {ways.map(([name, where, text]) => (
            <section key={name} aria-label={name}>
              <h2>{name} <span className="quiet">{where}</span></h2>
              <div className="line"><pre>{text}</pre><CopyButton label={`Copy: ${name}`} text={() => text} /></div>
            </section>
          ))}
        </div>
      )}
    </Popover>
  );
}
