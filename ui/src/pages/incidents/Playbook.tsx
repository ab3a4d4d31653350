/** What to do: the steps of the playbook that fits. */
import type { Case } from "../../server/incidents";

export function Playbook({ incident }: { incident: Case }) {
  return <p className="quiet">{incident.playbook ? `The playbook ${incident.playbook} fits.` : "No playbook fits this kind of incident."}</p>;
}
