// Finds a real Chromium for tests of pages: the one that is named, one that is installed, else Debian's own headless shell
// unpacked below .cache, which takes neither root nor a container. `node scripts/find-chromium.mjs` says what there is.
import { spawnSync } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { librariesOf, onPath, unpacked } from "./debian.mjs";

export const NO_CHROMIUM =
  "There is no Chromium here. Install one (`apt-get install chromium`, `brew install --cask google-chrome`), or set " +
  "BREAKWATER_TEST_CHROMIUM to the path of one.";

const NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/** Where it stands although nobody has put it on PATH. */
const PLACES = [
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
  "/Applications/Chromium.app/Contents/MacOS/Chromium",
];

/** Whether somebody has said that there shall be no browser. */
export const chromiumIsUnwanted = (env = process.env) => env.BREAKWATER_TEST_CHROMIUM === "none";

/** @returns {import("./find-chromium.d.mts").FoundChromium | undefined} */
export function findChromium(env = process.env) {
  if (chromiumIsUnwanted(env)) return undefined;
  const given = env.BREAKWATER_TEST_CHROMIUM;
  if (given) return tried(given, {}, "given");
  for (const path of [...NAMES.map((name) => onPath(name, env)), ...PLACES]) {
    const found = path && existsSync(path) && tried(path, {}, "path");
    if (found) return found;
  }
  return unpackedChromium(env);
}

/** One that does not start is none: Ubuntu has a program of that name that only says where to get one. */
function tried(path, env, source) {
  const { stdout } = spawnSync(path, ["--version"], { env: { ...process.env, ...env }, encoding: "utf8" });
  const version = /\b(\d+(\.\d+){3})\b/.exec(stdout ?? "")?.[1];
  return version ? { path, env, version, source } : undefined;
}

function unpackedChromium(env) {
  const packages = ["chromium-headless-shell", "chromium-common", "fonts-dejavu-core"];
  const folder = unpacked("chromium", packages, env, writeFonts);
  if (!folder) return undefined;
  const own = { ...librariesOf(folder), FONTCONFIG_FILE: join(folder, "fonts.conf") };
  return tried(join(folder, "usr/lib/chromium/chromium-headless-shell"), own, "unpacked");
}

/** Without a font there is no page. Relative, because the folder is still to be moved. */
function writeFonts(folder) {
  const lines = [
    '<?xml version="1.0"?>',
    '<!DOCTYPE fontconfig SYSTEM "urn:fontconfig:fonts.dtd">',
    "<fontconfig>",
    '  <dir prefix="relative">usr/share/fonts</dir>',
    "  <dir>/usr/share/fonts</dir>",
    '  <cachedir prefix="xdg">fontconfig</cachedir>',
    "</fontconfig>",
  ];
  writeFileSync(join(folder, "fonts.conf"), `${lines.join("\n")}\n`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const found = findChromium();
  console.log(found ? `Chromium ${found.version} (${found.source}): ${found.path}` : NO_CHROMIUM);
  if (!found && !chromiumIsUnwanted()) process.exitCode = 1;
}
