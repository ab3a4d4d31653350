/** Security: findings to judge one after the other, who reads which collection, the rules, what they cover, drills. */
import { set, useAddress } from "../../address/address";
import { useKeys } from "../../address/keys";
import { PageFrame } from "../../shell/PageFrame";
import { Access } from "./Access";
import { Coverage } from "./Coverage";
import { Drills } from "./Drills";
import { Rules } from "./Rules";
import { Triage } from "./Triage";

const VIEWS = [
  { name: "findings", title: "Findings", about: "what was noticed; judge it", body: Triage },
  { name: "access", title: "Who reads what", about: "principals and the collections they read", body: Access },
  { name: "rules", title: "Rules", about: "what is looked for; test and replay it", body: Rules },
  { name: "coverage", title: "Coverage", about: "which techniques something looks for", body: Coverage },
  { name: "drills", title: "Drills", about: "attacks told on purpose, and what was noticed", body: Drills },
] as const;

export default function Security({ dark }: { dark: boolean }) {
  const { more } = useAddress();
  const view = VIEWS.find((item) => item.name === more["show"]) ?? VIEWS[0];
  const show = (name: string) => () => set({ show: name === "findings" ? null : name, finding: null, rule: null });
  useKeys(Object.fromEntries(VIEWS.map((item, index) => [String(index + 1), show(item.name)])));
  const tools = (
    <div className="switch" role="group" aria-label="View">
      {VIEWS.map((item, index) => (
        <button key={item.name} type="button" aria-pressed={item === view} title={`${item.title} (${index + 1})`} onClick={show(item.name)}>{item.title}</button>
      ))}
    </div>
  );
  return (
    <PageFrame title="Security" about={view.about} dark={dark} tools={tools} timeless={view.name === "coverage" || view.name === "drills"} watched={view.name === "findings"}>
      <view.body />
    </PageFrame>
  );
}
