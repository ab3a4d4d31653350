import { PageFrame } from "../../shell/PageFrame";
export default function Alerts({ dark }: { dark: boolean }) {
  return <PageFrame title="Alerts" dark={dark} timeless><main /></PageFrame>;
}
