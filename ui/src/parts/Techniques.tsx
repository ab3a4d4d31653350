/** Techniques by the names that people use: `owasp-llm@2026:LLM01` is shown as OWASP LLM01 Prompt Injection. */
import { useQuery } from "@tanstack/react-query";
import { call } from "../server/client";
import { brief } from "./brief";
import { shown } from "./Text";

type Names = Readonly<Record<string, string>>;

/** What techniques and tactics are called, by id; nothing while it is fetched. */
export const useNames = (): Names =>
  useQuery({ queryKey: ["techniques"], staleTime: Infinity, gcTime: Infinity, queryFn: async ({ signal }) => (await call<{ names: Names }>("/api/techniques", undefined, signal)).names }).data ?? {};

/** A technique without its sub-technique. */
const parent = (name: string): string => name.replace(/(:AML\.T\d+)\.\d+$/, "$1");

export function Techniques({ names }: { names: readonly string[] }) {
  const called = useNames();
  return (
    <>
      {names.map((name) => {
        const says = called[name] ?? called[parent(name)];
        return <span key={name} className="chip" title={shown(name)}>{shown(brief(name).slice(0, 80))}{says && <span className="quiet"> {says}</span>}</span>;
      })}
    </>
  );
}
