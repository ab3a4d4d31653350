import uPlot from "uplot";
import { usePrefs } from "../address/prefs";
import { axes, brief, colour, tint, usePlot, zoned } from "../histogram/plot";
import type { ByName, OverTime } from "./pivot";
import { shown } from "../parts/Text";

/** Lines or bars over time. */
export function TimeChart({ drawn, bars, dark }: { drawn: OverTime; bars: boolean; dark: boolean }) {
  const { zone } = usePrefs();
  const host = usePlot(
    (width, height) => {
      const paths = bars ? uPlot.paths.bars!({ size: [0.86, 60], align: 1 }) : uPlot.paths.linear!();
      const sums = drawn.times.map(() => 0);
      const layers = drawn.series.map((series) => (bars ? series.values.map((value, at) => (sums[at] = sums[at]! + (value ?? 0))) : series.values));
      const styles = drawn.series.map((series, index) => {
        const shade = colour(tint(series.name, index));
        return { label: series.name, paths, spanGaps: false, ...(bars ? { fill: shade, width: 0, points: { show: false } } : { stroke: shade, width: 1.6, points: { show: drawn.times.length < 60, size: 4, fill: shade } }) };
      });
      const step = (drawn.times[1] ?? 1) - (drawn.times[0] ?? 0);
      const options: uPlot.Options = {
        width,
        height,
        padding: [12, 12, 0, 4],
        tzDate: zoned,
        legend: { show: false },
        axes: axes(),
        scales: { x: { range: (_plot, low, high) => [low, bars ? high + step : high] }, y: { range: (_plot, low, high) => [Math.min(0, low ?? 0), (high || 1) * 1.05] } },
        series: [{}, ...(bars ? styles.reverse() : styles)],
        cursor: { y: false, drag: { x: false, y: false } },
      };
      return { options, data: [drawn.times, ...(bars ? layers.reverse() : layers)] as uPlot.AlignedData };
    },
    [drawn, bars, dark, zone],
  );
  return (
    <div className="chart" data-testid="chart">
      <div className="plot" ref={host} role="img" aria-label={`${drawn.series.length} series over time: ${drawn.series.map((series) => series.name).join(", ")}`} />
      <ul className="chart-legend">
        {drawn.series.map((series, index) => (
          <li key={series.name}>
            <i className={`swatch ${tint(series.name, index).slice(2)}`} aria-hidden="true" />
            {shown(series.name.slice(0, 80))}
          </li>
        ))}
        {drawn.more > 0 && <li className="quiet">and {drawn.more} smaller, in the table</li>}
      </ul>
    </div>
  );
}

/** One bar a name. */
export function NameChart({ drawn }: { drawn: ByName }) {
  const most = Math.max(...drawn.bars.map((bar) => Math.abs(bar.value)), Number.MIN_VALUE);
  return (
    <div className="chart names" data-testid="chart">
      <table aria-label={`${drawn.value} by name`}>
        <tbody>
          {drawn.bars.map((bar, index) => (
            <tr key={index}>
              <th scope="row" title={bar.name.slice(0, 500)}>{shown(bar.name.slice(0, 120))}</th>
              <td>
                <i style={{ width: `${(Math.abs(bar.value) / most) * 100}%` }} aria-hidden="true" />
              </td>
              <td className="number">{brief(bar.value)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {drawn.more > 0 && <p className="quiet pad">and {drawn.more} more, in the table</p>}
    </div>
  );
}
