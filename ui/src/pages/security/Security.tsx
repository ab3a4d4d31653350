/** Security: findings to judge one after the other, and who reads which collection. */
import { set, useAddress } from "../../address/address";
import { PageFrame } from "../../shell/PageFrame";
import { Access } from "./Access";
import { Triage } from "./Triage";

export default function Security({ dark }: { dark: boolean }) {
  const { more } = useAddress();
  const view = more["show"] === "access" ? "access" : "findings";
  const tools = (
    <div className="switch" role="group" aria-label="View">
      <button type="button" aria-pressed={view === "findings"} onClick={() => set({ show: null })}>Findings</button>
      <button type="button" aria-pressed={view === "access"} onClick={() => set({ show: "access", finding: null })}>Who reads what</button>
    </div>
  );
  return (
    <PageFrame title="Security" about={view === "access" ? "principals and the collections they read" : "what was noticed; judge it"} dark={dark} tools={tools} watched>
      {view === "access" ? <Access /> : <Triage />}
    </PageFrame>
  );
}
