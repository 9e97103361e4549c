// The RecPrism service from TypeScript: one method per route, shapes from its OpenAPI document.
//
// It needs `fetch` and nothing else (Node 18, Deno, Bun). A key opens anybody's lists, so keep it on
// a server: a browser asks your own backend. Requests that may be sent twice are sent again where the
// service is busy or away for a moment, as the Python client does.

import type { components } from "./schema.js";

type Schemas = components["schemas"];
export type Answer = Schemas["AnswerOut"];
export type Artifacts = Schemas["ArtifactsOut"];
export type Event = Schemas["EventIn"];
export type EventsResult = Schemas["EventsResult"];
export type Experiment = Schemas["ExperimentOut"];
export type Item = Schemas["ItemRow"];
export type ItemPut = Schemas["ItemPut"];
export type ItemSaid = Schemas["ItemRequest"];
export type Key = Schemas["KeyRow"];
export type KeyMade = Schemas["KeyMade"];
export type ListsAsked = Schemas["ListsRequest"];
export type Near = Schemas["Near"];
export type Outcome = Schemas["OutcomeRow"];
export type Person = Schemas["PersonOut"];
export type PersonSaid = Schemas["PersonRequest"];
export type Receipt = Schemas["ReceiptOut"];
export type Task = Schemas["TaskOut"];
export type Wish = Schemas["AskRequest"];

export const USUAL_URL = "http://127.0.0.1:8000";
const TIMEOUT_MS = 10_000;
const TRIES = 3; // of a request that does no harm when it is sent twice
const LONGEST_WAIT_MS = 5_000;
const AGAIN = new Set([429, 503]);

export interface Options {
  /** A key made by `recprism keys create`; none is needed on the machine of the service. */
  key?: string;
  timeoutMs?: number;
}

/** What the service refused, in its own words, or status 0 where it did not answer. */
export class ServiceError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly field: string | null = null,
    readonly hint: string | null = null,
    readonly requestId: string | null = null,
    readonly retryAfterMs: number | null = null,
  ) {
    super(message);
    this.name = "ServiceError";
  }
}

interface Call {
  method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  path: string;
  query?: Record<string, string | number>;
  body?: unknown;
  /** Whether sending it twice does what sending it once does; the default is yes. */
  isSafe?: boolean;
}

export class Client {
  readonly #headers: Record<string, string>;
  readonly #timeoutMs: number;

  constructor(
    readonly url: string = USUAL_URL,
    options: Options = {},
  ) {
    this.#headers = options.key === undefined ? {} : { Authorization: `Bearer ${options.key}` };
    this.#timeoutMs = options.timeoutMs ?? TIMEOUT_MS;
  }

  /** Several lists with reasons; recorded unless `record` is false. */
  lists(asked: ListsAsked = {}): Promise<Answer> {
    // Recorded twice, a list would count twice for caps.
    return this.#run({ method: "POST", path: "/v1/lists", body: asked, isSafe: asked.record === false });
  }

  /** Lists for a wish in words; `wish` of the answer says how it was understood. */
  ask(wish: Wish): Promise<Answer> {
    return this.#run({ method: "POST", path: "/v1/ask", body: wish, isSafe: false });
  }

  /** Hand over what users did; it is on the service's disk when this resolves. */
  send(...events: Event[]): Promise<EventsResult> {
    const isSafe = events.every((event) => event.idempotency_key != null);
    return this.#run({ method: "POST", path: "/v1/events", body: events, isSafe });
  }

  profile(user: string): Promise<Record<string, unknown>> {
    return this.#run({ method: "GET", path: path`/v1/users/${user}/profile` });
  }

  putUser(user: string, said: PersonSaid): Promise<Person> {
    return this.#run({ method: "PUT", path: path`/v1/users/${user}`, body: said });
  }

  /** Erase a person everywhere; what was removed where. */
  deleteUser(user: string): Promise<Receipt> {
    return this.#run({ method: "DELETE", path: path`/v1/users/${user}` });
  }

  exportUser(user: string): Promise<Record<string, unknown>> {
    return this.#run({ method: "GET", path: path`/v1/users/${user}/export` });
  }

  /** Ids of users that hold `query`, in order, page after page. */
  async *users(query = ""): AsyncGenerator<string> {
    for (let cursor: string | null = ""; cursor !== null; ) {
      const page: Schemas["UserPage"] = await this.#run({
        method: "GET",
        path: "/v1/users",
        query: { query, cursor },
      });
      yield* page.users;
      cursor = page.cursor ?? null;
    }
  }

  /** Items of a kind with `query` in id or title, in order of id, page after page. */
  async *items(kind: string, query = ""): AsyncGenerator<Item> {
    for (let cursor: string | null = ""; cursor !== null; ) {
      const page: Schemas["ItemPage"] = await this.#run({
        method: "GET",
        path: path`/v1/items/${kind}`,
        query: { query, cursor },
      });
      yield* page.items;
      cursor = page.cursor ?? null;
    }
  }

  /** Say what an item is; the next list may show it. */
  putItem(kind: string, item: string, said: ItemSaid): Promise<ItemPut> {
    return this.#run({ method: "PUT", path: path`/v1/items/${kind}/${item}`, body: said });
  }

  async deleteItem(kind: string, item: string): Promise<void> {
    await this.#run({ method: "DELETE", path: path`/v1/items/${kind}/${item}` });
  }

  async similar(kind: string, item: string, limit = 10): Promise<Near[]> {
    const found: Schemas["SimilarOut"] = await this.#run({
      method: "GET",
      path: path`/v1/items/${kind}/${item}/similar`,
      query: { limit },
    });
    return found.items;
  }

  classify(kind: string, text: string): Promise<Record<string, unknown>> {
    return this.#run({ method: "POST", path: "/v1/classify", body: { kind, text } });
  }

  async tasks(): Promise<Task[]> {
    const found: Schemas["TasksOut"] = await this.#run({ method: "GET", path: "/v1/tasks" });
    return found.tasks;
  }

  /** Change a task without training; settings in `reset` go back to the project file. */
  changeTask(name: string, changes: Record<string, unknown>, reset: string[] = []): Promise<Task> {
    return this.#run({ method: "PATCH", path: path`/v1/tasks/${name}`, body: { ...changes, reset } });
  }

  async outcomes(days = 7, windowDays = 7): Promise<Outcome[]> {
    const found: Schemas["OutcomesOut"] = await this.#run({
      method: "GET",
      path: "/v1/outcomes",
      query: { days, window_days: windowDays },
    });
    return found.rows;
  }

  async experiments(days = 30): Promise<Experiment[]> {
    const found: Schemas["ExperimentsOut"] = await this.#run({
      method: "GET",
      path: "/v1/experiments",
      query: { days },
    });
    return found.experiments;
  }

  artifacts(): Promise<Artifacts> {
    return this.#run({ method: "GET", path: "/v1/artifacts" });
  }

  /** Serve this artifact until it is unpinned. */
  pin(artifact: string): Promise<Artifacts> {
    return this.#run({ method: "PUT", path: "/v1/artifacts/pinned", body: { id: artifact } });
  }

  unpin(): Promise<Artifacts> {
    return this.#run({ method: "DELETE", path: "/v1/artifacts/pinned" });
  }

  async keys(): Promise<Key[]> {
    const found: Schemas["KeysOut"] = await this.#run({ method: "GET", path: "/v1/keys" });
    return found.keys;
  }

  /** A new key, shown this once. */
  createKey(role: KeyMade["role"], name = ""): Promise<KeyMade> {
    return this.#run({ method: "POST", path: "/v1/keys", body: { role, name }, isSafe: false });
  }

  async revokeKey(id: string): Promise<void> {
    await this.#run({ method: "DELETE", path: path`/v1/keys/${id}` });
  }

  async #run<T>(call: Call): Promise<T> {
    for (let tried = 1; ; tried++) {
      try {
        return (await this.#once(call)) as T;
      } catch (error) {
        if (!(error instanceof ServiceError) || tried >= TRIES || call.isSafe === false) throw error;
        if (error.status !== 0 && !AGAIN.has(error.status)) throw error;
        await pause(Math.min(LONGEST_WAIT_MS, error.retryAfterMs ?? 100 * 2 ** tried));
      }
    }
  }

  async #once(call: Call): Promise<unknown> {
    const address = new URL(this.url.replace(/\/+$/, "") + call.path);
    for (const [name, value] of Object.entries(call.query ?? {})) {
      address.searchParams.set(name, String(value));
    }
    const hasBody = call.body !== undefined;
    let response: Response;
    try {
      response = await fetch(address, {
        method: call.method,
        headers: { ...this.#headers, ...(hasBody ? { "Content-Type": "application/json" } : {}) },
        signal: AbortSignal.timeout(this.#timeoutMs),
        ...(hasBody ? { body: JSON.stringify(call.body) } : {}),
      });
      if (response.ok) return await response.json();
    } catch (error) {
      throw new ServiceError(0, "unreachable", `\`${this.url}\` does not answer (${error}).`);
    }
    throw await refusal(response);
  }
}

/** An address whose parts are encoded, whatever they hold. */
function path(texts: TemplateStringsArray, ...parts: string[]): string {
  return String.raw({ raw: texts }, ...parts.map(encodeURIComponent));
}

async function refusal(response: Response): Promise<ServiceError> {
  const written = response.headers.get("Retry-After") ?? "";
  const wait = /^\d+$/.test(written) ? Number(written) * 1000 : null;
  try {
    const { error } = (await response.json()) as Schemas["ErrorBody"];
    const { code, message, field, hint, request_id } = error;
    return new ServiceError(
      response.status, code, message, field ?? null, hint ?? null, request_id ?? null, wait,
    );
  } catch {
    const host = new URL(response.url).host;
    return new ServiceError(response.status, "no-service", `There is no RecPrism at ${host}.`);
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((done) => setTimeout(done, ms));
}
