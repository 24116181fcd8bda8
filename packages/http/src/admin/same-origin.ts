/**
 * Whether a browser says that another site's page has sent it: its user is signed in here, and that page is not. Programs
 * say nothing of it, and have no user to be abused.
 */
export function isFromElsewhere({ headers, url }: Request): boolean {
  const site = headers.get("sec-fetch-site");
  // The browser has compared better than we can: it knows nothing of the proxies between.
  if (site !== null) return site !== "same-origin" && site !== "none";
  const origin = headers.get("origin");
  if (origin === null) return false;
  // A page of another origin can add no header to this without being refused beforehand.
  const hosts = [headers.get("host"), headers.get("x-forwarded-host"), new URL(url).host];
  return !URL.canParse(origin) || !hosts.includes(new URL(origin).host);
}
