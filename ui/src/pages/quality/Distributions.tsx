/** Two distributions side by side: the reference and now. */
import { shown } from "../../parts/Text";
import { asText } from "../../records/paths";
import type { Fields, Json } from "../../server/types";

const isObject = (value: Json | undefined): value is Fields => typeof value === "object" && value !== null && !Array.isArray(value);

/** Whether a fact is a distribution: shares or counts by name, or a list of [name, share]. */
export function isDistribution(value: Json | undefined): boolean {
  return sharesOf(value).length > 1;
}

function sharesOf(value: Json | undefined): [string, number][] {
  if (isObject(value)) {
    const entries = Object.entries(value);
    return entries.every(([, share]) => typeof share === "number") ? (entries as [string, number][]) : [];
  }
  if (!Array.isArray(value)) return [];
  if (value.every((item) => typeof item === "number") && value.length > 2) return (value as number[]).map((share, at) => [String(at + 1), share]);
  const pairs = value.flatMap((item): [string, number][] => (Array.isArray(item) && item.length === 2 && typeof item[1] === "number" ? [[String(item[0]), item[1]]] : []));
  return pairs.length === value.length ? pairs : [];
}

const SHOWN = 16;
const NAMES = [["reference", "current"], ["before", "after"], ["then", "now"], ["baseline", "observed"]] as const;

/** The pair of distributions among a finding's facts, drawn; nothing when there is none. */
export function Distributions({ facts }: { facts: Fields }) {
  const grown = facts["grown"];
  if (grown !== undefined && typeof facts["share"] === "number" && typeof facts["before"] === "number") return <Grown name={asText(grown)} share={facts["share"]} before={facts["before"]} />;
  const pair = NAMES.map(([one, other]) => [sharesOf(facts[one]), sharesOf(facts[other])] as const).find(([one, other]) => one.length > 0 && other.length > 0);
  if (!pair) return null;
  const [then, now] = pair.map((shares) => {
    const total = shares.reduce((sum, [, share]) => sum + share, 0) || 1;
    return new Map(shares.map(([name, share]) => [name, share / total]));
  }) as [Map<string, number>, Map<string, number>];
  const names = [...new Set([...then.keys(), ...now.keys()])].slice(0, SHOWN);
  const most = Math.max(...then.values(), ...now.values(), Number.MIN_VALUE);
  const bar = (share: number, kind: string) => <i className={kind} style={{ width: `${(share / most) * 100}%` }} aria-hidden="true" />;
  return (
    <div className="distributions">
      <table aria-label="Distributions">
        <thead><tr><th scope="col">value</th><th scope="col"><i className="then" aria-hidden="true" /> reference</th><th scope="col"><i className="now" aria-hidden="true" /> now</th><th aria-hidden="true" /></tr></thead>
        <tbody>
          {names.map((name) => {
            const [a, b] = [then.get(name) ?? 0, now.get(name) ?? 0];
            return (
              <tr key={name}>
                <th scope="row"><bdi>{shown(name.slice(0, 60))}</bdi></th>
                <td className="number">{(a * 100).toFixed(1)}%</td>
                <td className="number">{(b * 100).toFixed(1)}%</td>
                <td className="both">{bar(a, "then")}{bar(b, "now")}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}

/** The value whose share grew most: all that a finding of drift keeps of its distributions. */
function Grown({ name, share, before }: { name: string; share: number; before: number }) {
  const most = Math.max(share, before, Number.MIN_VALUE);
  return (
    <div className="distributions">
      <table aria-label="Distributions">
        <thead><tr><th scope="col">grew most</th><th scope="col"><i className="then" aria-hidden="true" /> reference</th><th scope="col"><i className="now" aria-hidden="true" /> now</th><th aria-hidden="true" /></tr></thead>
        <tbody>
          <tr>
            <th scope="row"><bdi>{shown(name.slice(0, 60))}</bdi></th>
            <td className="number">{(before * 100).toFixed(1)}%</td>
            <td className="number">{(share * 100).toFixed(1)}%</td>
            <td className="both"><i className="then" style={{ width: `${(before / most) * 100}%` }} aria-hidden="true" /><i className="now" style={{ width: `${(share / most) * 100}%` }} aria-hidden="true" /></td>
          </tr>
        </tbody>
      </table>
    </div>
  );
}
