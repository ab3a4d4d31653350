/** Calls of the HTTP API; every failure is a `Failure` that people can read. */
import { parseJson } from "./json";
import type { Json, Position } from "./types";

export class Failure extends Error {
  constructor(
    message: string,
    readonly status: number,
    readonly hint: string | null = null,
    readonly position: Position | null = null,
  ) {
    super(message);
  }
}

function failure(status: number, text: string): Failure {
  try {
    const body = JSON.parse(text) as { error?: { message?: string; hint?: string; position?: Position } };
    if (body.error?.message)
      return new Failure(body.error.message, status, body.error.hint ?? null, body.error.position ?? null);
  } catch {
    // Not ours: a proxy's page, say.
  }
  if (status === 429 || status === 503) return new Failure("the server is busy", status, "try again in a moment");
  return new Failure(`the server answered ${status}`, status, "its own log says more");
}

/** Fetch `path` and return the body's text. Throws `Failure`, or the abort when `signal` fires. */
export async function text(path: string, body?: unknown, signal?: AbortSignal): Promise<string> {
  const init: RequestInit = { headers: { accept: "application/json" }, ...(signal ? { signal } : {}) };
  if (body !== undefined) {
    init.method = "POST";
    init.headers = { accept: "application/json", "content-type": "application/json" };
    init.body = JSON.stringify(body);
  }
  let response: Response;
  try {
    response = await fetch(path, init);
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Failure("the server does not answer", 0, "is treering up? the page tries again when you run the query");
  }
  const answer = await response.text();
  if (!response.ok) throw failure(response.status, answer);
  return answer;
}

/** Fetch `path` and return its JSON, long integers as strings. */
export async function call<T>(path: string, body?: unknown, signal?: AbortSignal): Promise<T> {
  return parseJson(await text(path, body, signal)) as Json as T;
}
