import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { StrictMode, Suspense, lazy, useSyncExternalStore } from "react";
import { createRoot } from "react-dom/client";
import { EXPLORE, useAddress } from "./address/address";
import { usePrefs } from "./address/prefs";
import { Waiting } from "./parts/State";
import { Failure } from "./server/client";
import { Rail } from "./shell/Rail";
import { Nowhere } from "./shell/Nowhere";
import "./styles/base.css";
import "./styles/parts.css";
import "./styles/explore.css";
import "./styles/records.css";
import "./styles/trace.css";
import "./styles/pages.css";
import "./styles/narrow.css";
import "uplot/dist/uPlot.min.css";

const TRIES = 2;

const client = new QueryClient({
  defaultOptions: {
    queries: {
      refetchOnWindowFocus: false,
      staleTime: 60_000,
      gcTime: 60_000,
      // A busy server is asked again; a wrong question is not.
      retry: (count, error) => count < TRIES && error instanceof Failure && (error.status === 429 || error.status === 503),
      networkMode: "always",
    },
  },
});

const system = window.matchMedia("(prefers-color-scheme: dark)");
const watch = (tell: () => void) => {
  system.addEventListener("change", tell);
  return () => system.removeEventListener("change", tell);
};

// Each page is a file of its own, fetched when it is first shown.
const PAGES = {
  "/": lazy(() => import("./pages/overview/Overview")),
  [EXPLORE]: lazy(() => import("./explore/Explore")),
  "/llm": lazy(() => import("./pages/llm/Llm")),
  "/security": lazy(() => import("./pages/security/Security")),
  "/quality": lazy(() => import("./pages/quality/Quality")),
  "/training": lazy(() => import("./pages/training/Training")),
  "/incidents": lazy(() => import("./pages/incidents/Incidents")),
  "/dashboards": lazy(() => import("./pages/dashboards/Dashboards")),
  "/alerts": lazy(() => import("./pages/alerts/Alerts")),
};

function App() {
  const { theme } = usePrefs();
  const { path } = useAddress();
  const systemDark = useSyncExternalStore(watch, () => system.matches);
  const dark = theme === "system" ? systemDark : theme === "dark";
  const Page = Object.hasOwn(PAGES, path) ? PAGES[path as keyof typeof PAGES] : Nowhere;
  return (
    <div className="shell">
      <Rail />
      <Suspense fallback={<Waiting what="Fetching the page" />}>
        <Page key={path} dark={dark} />
      </Suspense>
    </div>
  );
}

createRoot(document.getElementById("root")!).render(
  <StrictMode>
    <QueryClientProvider client={client}>
      <App />
    </QueryClientProvider>
  </StrictMode>,
);
