import type { ByName } from "../results/pivot";
import { shown } from "./Text";
import { withUnit } from "./units";
import type { Unit } from "./units";

/** One bar a name; a name can be a button. */
export function Bars({ drawn, unit = "", onName }: { drawn: ByName; unit?: Unit; onName?: (name: string) => void }) {
  const most = Math.max(...drawn.bars.map((bar) => Math.abs(bar.value)), Number.MIN_VALUE);
  return (
    <div className="bars">
      <table aria-label={`${drawn.value} by name`}>
        <tbody>
          {drawn.bars.map((bar, index) => (
            <tr key={index}>
              <th scope="row" title={shown(bar.name.slice(0, 500))}>
                {onName ? <button type="button" className="text-button" onClick={() => onName(bar.name)}>{shown(bar.name.slice(0, 80))}</button> : <bdi>{shown(bar.name.slice(0, 80))}</bdi>}
              </th>
              <td><i style={{ width: `${(Math.abs(bar.value) / most) * 100}%` }} aria-hidden="true" /></td>
              <td className="number">{withUnit(bar.value, unit)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {drawn.more > 0 && <p className="quiet pad">and {drawn.more} more</p>}
    </div>
  );
}
