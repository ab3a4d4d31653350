/** The pages, at the left of every page. */
import { useAddress } from "../address/address";
import { Icon, Mark } from "../parts/Icon";
import { Link } from "../parts/Link";
import { SITES } from "./sites";

export function Rail() {
  const { path } = useAddress();
  return (
    <nav className="rail" aria-label="Pages">
      <Link path="/" className="rail-mark" aria-label="treering, overview" title="treering">
        <Mark />
      </Link>
      {SITES.map((site) => (
        <Link key={site.path} path={site.path} className="rail-item" title={`${site.about} (g ${site.key})`} {...(site.path === path ? { "aria-current": "page" as const } : {})}>
          <Icon name={site.icon} />
          <span>{site.title}</span>
        </Link>
      ))}
    </nav>
  );
}
