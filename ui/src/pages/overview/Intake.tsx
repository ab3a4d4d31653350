/** Whether what senders send arrives: the conservation law of every receiver, and the listeners. */
import { Card } from "../../parts/Card";
import { Table } from "../../parts/Table";
import { bytes } from "../../parts/units";
import { useStatus } from "../../server/status";
import { usePage } from "../../shell/page";
import { duration } from "../../time/times";

const sum = (counts: Record<string, number> | number): number => (typeof counts === "number" ? counts : Object.values(counts).reduce((total, count) => total + count, 0));
const why = (counts: Record<string, number> | number): string => (typeof counts === "number" ? "" : Object.entries(counts).map(([reason, count]) => `${reason}: ${count}`).join(", "));

export function Intake() {
  const { tick } = usePage();
  const found = useStatus(tick);
  const status = found.data;
  const whole = status?.conservation.every((item) => item.holds) ?? true;
  const count = (value: number) => value.toLocaleString("en");
  const closed = status?.listeners.filter((item) => item.state !== "open") ?? [];
  return (
    <Card title="Ingest" width={4} note={status ? `treering ${status.version}, up ${duration(status.uptime_s * 1e9)}, ${count(status.rows)} records, ${bytes(status.bytes)} on disk` : ""}>
      {!status ? (
        <p className="quiet hollow">{found.error ? found.error.message : "fetching…"}</p>
      ) : (
        <>
          <p className={whole ? "good" : "bad"}>{whole ? "Every received record is accounted for since the start." : "The books of a receiver do not balance: see treering doctor."}</p>
          {closed.map((item) => <p key={item.name} className="amber">{item.name} at {item.address}: {item.state}</p>)}
          {status.conservation.length > 0 && (
            <Table
              label="Receivers"
              rows={status.conservation}
              columns={[
                { title: "receiver", cell: (row) => <><i className={`signal ${!row.holds ? "red" : sum(row.rejected) + sum(row.dropped) > 0 ? "amber" : "green"}`} aria-hidden="true" /> {row.receiver}</> },
                { title: "received", number: true, cell: (row) => count(row.received) },
                { title: "stored", number: true, cell: (row) => count(row.stored) },
                { title: "rejected", number: true, cell: (row) => <span className={sum(row.rejected) ? "amber" : ""} title={why(row.rejected)}>{count(sum(row.rejected))}</span> },
                { title: "dropped", number: true, cell: (row) => <span className={sum(row.dropped) ? "bad" : ""} title={why(row.dropped)}>{count(sum(row.dropped))}</span> },
                { title: "on its way", number: true, cell: (row) => count(row.in_flight) },
              ]}
            />
          )}
        </>
      )}
    </Card>
  );
}
