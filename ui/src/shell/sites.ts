/** The pages: their paths, names, signs and keys. */
import { EXPLORE, visit } from "../address/address";
import type { Keys } from "../address/keys";
import type { IconName } from "../parts/Icon";

export interface Site {
  path: string;
  title: string;
  icon: IconName;
  /** The letter after `g`. */
  key: string;
  about: string;
}

export const SITES: readonly Site[] = [
  { path: "/", title: "Overview", icon: "home", key: "o", about: "what needs me now" },
  { path: EXPLORE, title: "Explore", icon: "search", key: "e", about: "search every record" },
  { path: "/llm", title: "LLM", icon: "chat", key: "c", about: "calls of models" },
  { path: "/security", title: "Security", icon: "shield", key: "f", about: "findings, who reads what" },
  { path: "/quality", title: "Quality", icon: "scale", key: "q", about: "quality and drift" },
  { path: "/training", title: "Training", icon: "trend", key: "t", about: "a training run" },
  { path: "/incidents", title: "Incidents", icon: "alert", key: "i", about: "timeline, evidence, playbook, post-mortem" },
  { path: "/dashboards", title: "Dashboards", icon: "grid", key: "d", about: "panels from queries" },
  { path: "/alerts", title: "Alerts", icon: "bell", key: "a", about: "what rings, and whom" },
];

/** The site that `path` belongs to. */
export const siteOf = (path: string): Site | undefined => SITES.find((site) => site.path === path);

const stream = (name: string) => () => visit(EXPLORE, { stream: name });

/** The keys that lead to pages, from everywhere. */
export const siteKeys = (): Keys => ({
  ...Object.fromEntries(SITES.map((site) => [`g ${site.key}`, () => visit(site.path)])),
  "g l": stream("logs"),
  "g s": stream("spans"),
  "g m": stream("metrics"),
});
