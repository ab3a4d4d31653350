import { CopyButton } from "../../parts/CopyButton";

const EXAMPLE = `[[alerts.rules]]
name = "grave incidents"
incidents = { severity = "high" }

[alerts.receivers.ops]
kind = "webhook"
url = "https://hooks.example/treering"

[[alerts.routes]]
receiver = "ops"`;

/** No alert is configured: what to write into treering.toml. */
export function NoRules() {
  return (
    <main className="scroll">
      <section className="first senders" data-testid="senders" aria-label="No alert is configured">
        <h2>No alert is configured</h2>
        <p className="quiet">A rule in treering.toml rings on findings, on incidents or on the answer of any query.</p>
        <div className="line">
          <pre>{EXAMPLE}</pre>
          <CopyButton label="Copy: a rule, a receiver, a route" text={() => EXAMPLE} />
        </div>
      </section>
    </main>
  );
}
