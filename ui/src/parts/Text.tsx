import { useState } from "react";

const LIMIT = 600;

/** Text from a log: never markup, and cut where it is long until the reader asks for all of it. */
export function Text({ text, limit = LIMIT }: { text: string; limit?: number }) {
  const [all, setAll] = useState(false);
  if (text.length <= limit * 1.2) return <>{text}</>;
  return (
    <>
      {all ? text : text.slice(0, limit)}
      {!all && "… "}
      <button type="button" className="text-button" onClick={() => setAll(!all)}>
        {all ? "show less" : `show all ${text.length.toLocaleString("en")} characters`}
      </button>
    </>
  );
}
