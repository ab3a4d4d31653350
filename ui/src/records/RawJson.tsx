import { useMemo, useState } from "react";
import { layout } from "../server/json";

const TOKENS = 4000;

/** JSON as it was sent, laid out; every digit of every number as it came. */
export function RawJson({ text }: { text: string }) {
  const [all, setAll] = useState(false);
  const tokens = useMemo(() => layout(text), [text]);
  const shown = all ? tokens : tokens.slice(0, TOKENS);
  return (
    <>
      <pre className="json" data-testid="json">
        {shown.map((token, index) => (
          <span key={index} className={token.kind}>
            {token.text.length > 4000 && !all ? `${token.text.slice(0, 4000)}…` : token.text}
          </span>
        ))}
      </pre>
      {!all && (tokens.length > TOKENS || tokens.some((token) => token.text.length > 4000)) && (
        <button type="button" className="text-button pad" onClick={() => setAll(true)}>
          show all {text.length.toLocaleString("en")} characters
        </button>
      )}
    </>
  );
}
