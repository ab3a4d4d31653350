/** Alerts: what rings now, by which rule, who is told, what is silenced and what was delivered. */
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Severity } from "../../parts/Entities";
import { Broken, Waiting } from "../../parts/State";
import { Table } from "../../parts/Table";
import { shown } from "../../parts/Text";
import { call } from "../../server/client";
import { isMissing } from "../../server/findings";
import { PageFrame } from "../../shell/PageFrame";
import { usePage } from "../../shell/page";
import { short } from "../../time/times";
import { AlertLink } from "./AlertLink";
import { NoRules } from "./NoRules";
import type { Alerting, Deliveries, Silence } from "./shapes";

const EVERY_MS = 10_000;
const at = (time: string | null) => (time ? short(time).slice(0, -4) : "");

export default function Alerts({ dark }: { dark: boolean }) {
  return (
    <PageFrame title="Alerts" about="what rings, and whom" dark={dark} timeless>
      <Body />
    </PageFrame>
  );
}

function Body() {
  const { tick } = usePage();
  const alerts = useQuery({ queryKey: ["alerts", tick], queryFn: ({ signal }) => call<Alerting>("/api/alerts", undefined, signal), refetchInterval: EVERY_MS });
  const sent = useQuery({ queryKey: ["alerts", "deliveries", tick], queryFn: ({ signal }) => call<Deliveries>("/api/alerts/deliveries?limit=100", undefined, signal), refetchInterval: EVERY_MS });
  if (alerts.error) return isMissing(alerts.error) ? <NoRules /> : <Broken error={alerts.error} again={() => void alerts.refetch()} />;
  if (!alerts.data) return <Waiting what="Fetching alerts" />;
  const { data } = alerts;
  if (data.rules.length === 0 && data.alerts.length === 0) return <NoRules />;
  return (
    <main className="scroll">
      <div className="grid">
        <Block title="Now" note={data.waiting > 0 ? `${data.waiting} messages wait to be sent` : ""}>
          {data.alerts.length === 0 ? <p className="quiet hollow">Nothing rings.</p> : (
            <Table
              label="Alerts"
              rows={data.alerts}
              name={(alert) => alert.id}
              columns={[
                { title: "", cell: (alert) => <Severity name={alert.severity} /> },
                { title: "state", cell: (alert) => (alert.silenced ? <span className="quiet">silenced</span> : <span className={alert.status === "firing" ? "bad" : "good"}>{alert.status}</span>) },
                { title: "what", cell: (alert) => <AlertLink alert={alert} /> },
                { title: "rule", cell: (alert) => shown(alert.rule) },
                { title: "since", cell: (alert) => at(alert.starts) },
                { title: "until", cell: (alert) => at(alert.ends) },
              ]}
            />
          )}
        </Block>
        <Block title="Rules">
          <Table
            label="Rules"
            rows={data.rules}
            columns={[
              { title: "rule", cell: (rule) => shown(rule.name) },
              { title: "on", cell: (rule) => (rule.query ? <code title={shown(rule.query)}>{shown(rule.query.slice(0, 160))}</code> : rule.on) },
              { title: "last asked", cell: (rule) => at(rule.asked) },
              { title: "trouble", cell: (rule) => rule.error && <span className="bad">{shown(rule.error.slice(0, 200))}</span> },
            ]}
          />
        </Block>
        <Silences silences={data.silences} />
        <Receivers receivers={data.receivers} />
        <Block title="Deliveries" note="newest first">
          {!sent.data || sent.data.deliveries.length === 0 ? <p className="quiet hollow">{sent.error ? sent.error.message : data.receivers.length === 0 ? "Nobody is told: no receiver is configured." : "Nothing has been sent."}</p> : (
            <Table
              label="Deliveries"
              rows={sent.data.deliveries}
              name={(item) => item.id}
              columns={[
                { title: "made", cell: (item) => at(item.created) },
                { title: "to", cell: (item) => shown(item.receiver) },
                { title: "state", cell: (item) => <span className={item.state === "failed" ? "bad" : item.state === "delivered" ? "good" : "amber"}>{item.state}</span> },
                { title: "alerts", cell: (item) => shown(item.alerts.map((alert) => alert.summary).join(" · ").slice(0, 240)) },
                { title: "tries", number: true, cell: (item) => String(item.attempts) },
                { title: "error", cell: (item) => item.error && <span title={shown(item.error)}>{shown(item.error.slice(0, 160))}</span> },
              ]}
            />
          )}
        </Block>
      </div>
    </main>
  );
}

function Block({ title, note, children }: { title: string; note?: string; children: React.ReactNode }) {
  return (
    <section className="card wide-4" aria-label={title}>
      <header><h2>{title}</h2>{note && <span className="quiet note">{note}</span>}</header>
      {children}
    </section>
  );
}

function Silences({ silences }: { silences: readonly Silence[] }) {
  const client = useQueryClient();
  const [matcher, setMatcher] = useState("");
  const [until, setUntil] = useState("now+1h");
  const again = () => client.invalidateQueries({ queryKey: ["alerts"] });
  const add = useMutation({ mutationFn: () => call("/api/alerts/silences", { matchers: matcher.split(",").map((part) => part.trim()).filter(Boolean), until, comment: "" }), onSuccess: () => (setMatcher(""), again()) });
  const end = useMutation({ mutationFn: (id: string) => call(`/api/alerts/silences/${encodeURIComponent(id)}/expire`, {}), onSuccess: again });
  const failure = add.error ?? end.error;
  return (
    <Block title="Silences" note="alerts with these labels are not sent until then">
      <form
        className="acts pad"
        onSubmit={(event) => {
          event.preventDefault();
          add.mutate();
        }}
      >
        <input aria-label="Matchers" placeholder='serviceName="rag", severity=~"low|medium"' value={matcher} onChange={(event) => setMatcher(event.target.value)} size={42} />
        <input aria-label="Until" value={until} onChange={(event) => setUntil(event.target.value)} size={10} />
        <button type="submit" className="button" disabled={!matcher.trim() || add.isPending}>Silence</button>
        {failure && <span className="bad" role="alert">{shown(failure.message)}</span>}
      </form>
      {silences.length > 0 && (
        <Table
          label="Silences"
          rows={silences}
          name={(item) => item.id}
          columns={[
            { title: "alerts with", cell: (item) => <code>{shown(item.matchers.join(", ").slice(0, 200))}</code> },
            { title: "from", cell: (item) => at(item.starts) },
            { title: "until", cell: (item) => (item.ends ? at(item.ends) : "taken out of the configuration") },
            { title: "by", cell: (item) => shown([item.author, item.comment].filter(Boolean).join(": ").slice(0, 120)) },
            { title: "", cell: (item) => (item.active ? <button type="button" className="text-button" onClick={() => end.mutate(item.id)}>end now</button> : <span className="quiet">over</span>) },
          ]}
        />
      )}
    </Block>
  );
}

function Receivers({ receivers }: { receivers: Alerting["receivers"] }) {
  const test = useMutation({ mutationFn: (receiver: string) => call<{ delivered: boolean; error: string }>("/api/alerts/test", { receiver }) });
  if (receivers.length === 0) return null;
  const said = test.data ? (test.data.delivered ? "the test arrived" : `the test failed: ${test.data.error}`) : (test.error?.message ?? "");
  return (
    <Block title="Receivers" note={shown(said)}>
      <ul className="acts pad">
        {receivers.map((item) => (
          <li key={item.name}>
            <button type="button" className="button" disabled={test.isPending} title="Send a test alert" onClick={() => test.mutate(item.name)}>{shown(item.name)} <span className="quiet">{item.kind}: test</span></button>
          </li>
        ))}
      </ul>
    </Block>
  );
}
