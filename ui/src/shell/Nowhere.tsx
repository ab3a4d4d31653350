import { Link } from "../parts/Link";
import { PageFrame } from "./PageFrame";

/** The address names no page. */
export function Nowhere({ dark }: { dark: boolean }) {
  return (
    <PageFrame title="No such page" dark={dark} timeless>
      <div className="state">
        <p>There is no page at this address.</p>
        <p><Link path="/">To the overview</Link></p>
      </div>
    </PageFrame>
  );
}
