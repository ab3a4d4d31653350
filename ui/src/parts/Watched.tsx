/** A line where findings are shown while detectors have not read everything: fewer findings then mean nothing. */
import { isBehind, useStatus } from "../server/status";
import { usePage } from "../shell/page";

export function Watched() {
  const { tick } = usePage();
  const { data } = useStatus(tick);
  if (data?.detection?.trouble) return <p className="watched bad" role="alert">Detection is in trouble: {data.detection.trouble.slice(0, 300)}</p>;
  if (!data?.detection || !isBehind(data)) return null;
  return <p className="watched" role="status">The detectors have {data.detection.lag_records.toLocaleString("en")} records still to read; what they find there is not shown yet.</p>;
}
