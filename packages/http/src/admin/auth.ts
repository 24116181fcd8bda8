import { createHash, timingSafeEqual } from "node:crypto";

import { ConfigError, type MaybePromise } from "@breakwater/core";

/** Who looks, and what he may do. */
export interface AdminGrant {
  /** What events of his changes call him. */
  readonly by?: string;
  /** `change` includes `see`. */
  readonly may: "see" | "change";
}

/** Says who may. `true`: everything, by nobody in particular; `false` or nothing: not let in. */
export interface Authorize {
  (request: Request): MaybePromise<boolean | AdminGrant | undefined>;
  /** The `WWW-Authenticate` of a 401, for browsers to ask for a name and a password. */
  readonly challenge?: string;
}

/** A name; a whole token would be shown with each change, and other instances would not take it for one. */
const MAX_BY = 200;

/** Only what is certainly a grant is one. */
export function grantOf(given: unknown): AdminGrant | undefined {
  if (given === true) return { may: "change" };
  if (typeof given !== "object" || given === null) return undefined;
  const { by, may } = given as Partial<Record<keyof AdminGrant, unknown>>;
  if (may !== "see" && may !== "change") return undefined;
  if (typeof by !== "string" || by === "") return { may };
  return { by: by.length > MAX_BY ? `${by.slice(0, MAX_BY - 1)}…` : by, may };
}

/**
 * Lets in who knows a name and its password, which browsers and `curl -u` ask for. Use it over HTTPS only. Names are told
 * in the events of what was changed. It does not count attempts: put a `rateLimit` in front where strangers can reach it.
 *
 * @param users passwords by name
 * @param options `seeOnly`: names of those who may look and not change
 * @throws ConfigError for a password that is empty, as one from an unset variable is, and for names that cannot be sent
 *
 * @example
 * ```ts
 * import { basicAuth } from "@breakwater/http";
 *
 * const authorize = basicAuth({ ada: "a long password", visitor: "another" }, { seeOnly: ["visitor"] });
 * const headers = { authorization: `Basic ${btoa("visitor:another")}` };
 * authorize(new Request("http://localhost/breakwater/", { headers })); // => { by: "visitor", may: "see" }
 * ```
 */
export function basicAuth(
  users: Readonly<Record<string, string | undefined>>,
  options: { readonly seeOnly?: readonly string[] } = {},
): Authorize {
  const digests = readUsers(users);
  const seeOnly = readSeeOnly(options, digests);
  const nobody = digestOf("");
  const authorize = (request: Request): AdminGrant | false => {
    const [name, password] = credentialsIn(request.headers.get("authorization"));
    // Compared also where there is no such name: the time that it takes says nothing of who there is.
    const known = timingSafeEqual(digestOf(password), digests.get(name) ?? nobody);
    return known && digests.has(name) ? { by: name, may: seeOnly.has(name) ? "see" : "change" } : false;
  };
  return Object.assign(authorize, { challenge: 'Basic realm="Breakwater", charset="UTF-8"' });
}

/** All of one length, whatever the passwords'. */
function digestOf(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}

function credentialsIn(header: string | null): readonly [name: string, password: string] {
  const [, encoded] = /^basic +([\w+/=-]+) *$/i.exec(header ?? "") ?? [];
  const text = Buffer.from(encoded ?? "", "base64").toString();
  const colon = text.indexOf(":");
  return colon < 0 ? ["", ""] : [text.slice(0, colon), text.slice(colon + 1)];
}

function readUsers(users: unknown): ReadonlyMap<string, Buffer> {
  if (typeof users !== "object" || users === null || Object.keys(users).length === 0)
    throw new ConfigError(
      'basicAuth: users are names with passwords, for example { ada: "a long password" }.',
    );
  const digests = new Map<string, Buffer>();
  for (const [name, password] of Object.entries(users)) {
    if (name === "" || name.includes(":"))
      throw new ConfigError(`basicAuth: a name is not empty and has no colon, got ${JSON.stringify(name)}.`);
    // Without quoting it: it may be one after all.
    if (typeof password !== "string" || password === "")
      throw new ConfigError(
        `basicAuth: the password of ${JSON.stringify(name)} is missing (an environment variable that is not set?).`,
      );
    digests.set(name, digestOf(password));
  }
  return digests;
}

function readSeeOnly(
  options: { readonly seeOnly?: unknown },
  users: ReadonlyMap<string, unknown>,
): ReadonlySet<string> {
  const { seeOnly = [], ...unknown } = options;
  const [odd] = Object.keys(unknown);
  if (odd !== undefined) throw new ConfigError(`basicAuth: unknown option "${odd}"; known is seeOnly.`);
  if (!Array.isArray(seeOnly))
    throw new ConfigError('basicAuth: seeOnly is a list of names, for example ["visitor"].');
  for (const name of seeOnly as readonly unknown[]) {
    if (typeof name !== "string" || !users.has(name))
      throw new ConfigError(`basicAuth: seeOnly names ${JSON.stringify(name)}, who is not among the users.`);
  }
  return new Set(seeOnly as readonly string[]);
}
