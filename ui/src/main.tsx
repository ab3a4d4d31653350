import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { StrictMode, useSyncExternalStore } from "react";
import { createRoot } from "react-dom/client";
import { usePrefs } from "./address/prefs";
import { Explore } from "./explore/Explore";
import { Failure } from "./server/client";
import "./styles/base.css";
import "./styles/parts.css";
import "./styles/explore.css";
import "./styles/records.css";
import "./styles/trace.css";
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

function App() {
  const { theme } = usePrefs();
  const systemDark = useSyncExternalStore(watch, () => system.matches);
  return <Explore dark={theme === "system" ? systemDark : theme === "dark"} />;
}

createRoot(document.getElementById("root")!).render(
  <StrictMode>
    <QueryClientProvider client={client}>
      <App />
    </QueryClientProvider>
  </StrictMode>,
);
