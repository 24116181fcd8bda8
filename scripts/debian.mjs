// Programs that tests need, out of the distribution's own packages, unpacked below .cache: that takes neither root nor a
// container, and changes nothing of the system.
import { execFileSync } from "node:child_process";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** More than the largest download takes over a slow line. */
const LONGEST_MS = 900_000;

export function onPath(name, env = process.env) {
  return (env.PATH ?? "")
    .split(delimiter)
    .filter((folder) => folder !== "")
    .map((folder) => join(folder, name))
    .find((path) => existsSync(path));
}

/** `usr/lib/x86_64-linux-gnu/<name>` and the like. */
export function inLibs(libs, name) {
  if (!existsSync(libs)) return undefined;
  return readdirSync(libs)
    .filter((folder) => folder.includes("-linux-gnu"))
    .map((folder) => join(libs, folder, name))
    .find((path) => existsSync(path));
}

/** What the programs in an unpacked folder need in the environment to find their libraries. */
export function librariesOf(folder) {
  // Debian 12 still has some in /lib; PulseAudio keeps one to itself.
  const folders = ["usr/lib", "lib"].flatMap((libs) => ["", "pulseaudio"].map((own) => [libs, own]));
  const found = folders.map(([libs, own]) => inLibs(join(folder, libs), own)).filter(Boolean);
  return found.length > 0 ? { LD_LIBRARY_PATH: found.join(delimiter) } : {};
}

/** Below the repository; in the temporary files of whoever may not write there. */
export function cacheFolder(name) {
  const here = join(root, ".cache", name);
  if (existsSync(here)) return here;
  try {
    const probe = join(root, ".cache", `.writable.${process.pid}`);
    mkdirSync(probe, { recursive: true });
    rmSync(probe, { recursive: true });
    return here;
  } catch {
    const own = join(tmpdir(), `breakwater-cache-${process.getuid?.() ?? "user"}`);
    mkdirSync(own, { recursive: true, mode: 0o700 });
    // The name can be guessed, and what stands in it is run: a folder of somebody else will not do.
    const { uid } = lstatSync(own);
    if (lstatSync(own).isSymbolicLink() || (process.getuid && uid !== process.getuid()))
      throw new Error(`${own} belongs to somebody else.`);
    return join(own, name);
  }
}

/**
 * Debian's packages and the libraries that they stand on, below .cache/<name>.
 *
 * @param finish what is still to be done in the folder before anybody sees it
 * @returns undefined if they cannot be had
 */
export function unpacked(name, packages, env, finish = () => {}) {
  const folder = cacheFolder(name);
  if (existsSync(folder)) return folder;
  if (env.BREAKWATER_TEST_NO_DOWNLOAD === "1" || process.platform !== "linux") return undefined;
  if (!onPath("apt-get") || !onPath("dpkg-deb")) return undefined;
  const free = lock(`${folder}.lock`, () => existsSync(folder));
  const own = `${folder}.${process.pid}`;
  try {
    if (existsSync(folder)) return folder;
    removeRests(folder);
    unpack(own, packages);
    finish(join(own, "root"));
    // Made aside and moved into place: nobody ever sees half of it.
    renameSync(join(own, "root"), folder);
  } catch (error) {
    if (!existsSync(folder)) console.warn(`${packages.join(" and ")} cannot be had: ${reasonOf(error)}`);
  } finally {
    rmSync(own, { recursive: true, force: true });
    free();
  }
  return existsSync(folder) ? folder : undefined;
}

/** apt says it last, behind its warnings; of the other errors the first line is the message. */
const reasonOf = ({ message, stderr }) => stderr?.trim().split("\n").at(-1) || message.split("\n")[0];

function unpack(own, packages) {
  const state = join(own, "state");
  const debs = join(own, "debs");
  for (const each of [join(state, "lists/partial"), join(state, "cache/archives/partial"), debs])
    mkdirSync(each, { recursive: true });
  // apt with a state of its own: nothing of the system is locked or changed.
  const settings = {
    "Dir::State::Lists": join(state, "lists"),
    "Dir::Cache": join(state, "cache"),
    "Debug::NoLocking": "1",
    "APT::Sandbox::User": "",
    "Acquire::Languages": "none",
    "Acquire::Retries": "2",
  };
  const options = Object.entries(settings).flatMap(([key, value]) => ["-o", `${key}=${value}`]);
  const apt = (program, ...args) =>
    execFileSync(program, [...options, "-qq", ...args], {
      cwd: debs,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"],
      timeout: LONGEST_MS / 2,
    });
  apt("apt-get", "update");
  const depends = (...names) => apt("apt-cache", "depends", "--important", ...names);
  apt("apt-get", "download", ...withLibraries(packages, depends));
  for (const file of readdirSync(debs)) execFileSync("dpkg-deb", ["-x", join(debs, file), join(own, "root")]);
}

/** What the libraries stand on is asked in rounds, one process each. */
function withLibraries(packages, depends) {
  const all = new Set();
  for (let next = packages; next.length > 0;) {
    for (const name of next) all.add(name);
    const named = [...depends(...next).matchAll(/Depends: (lib[^\s:]+)/g)].map(([, library]) => library);
    // What any system with Node has is not fetched again, and a library for pages is none that a program starts with.
    next = [...new Set(named)].filter((library) => !all.has(library) && !/^lib(c6|gcc|js-)/.test(library));
  }
  return all;
}

const pause = (ms) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);

/** Spares several processes the same download; what makes it right is the move into place. @returns what gives it back */
function lock(path, isDone) {
  mkdirSync(dirname(path), { recursive: true });
  while (!isDone()) {
    try {
      writeFileSync(path, String(process.pid), { flag: "wx" });
      return () => rmSync(path, { force: true });
    } catch (error) {
      if (error.code !== "EEXIST") throw error;
      if (isAbandoned(path)) rmSync(path, { force: true });
      else pause(100);
    }
  }
  return () => {};
}

/** Whoever held it was ended, here or in a container that had another table of processes. */
function isAbandoned(path) {
  if (isOld(path)) return true;
  try {
    const pid = Number(readFileSync(path, "utf8"));
    if (pid > 0) process.kill(pid, 0);
    return false;
  } catch (error) {
    return error.code === "ESRCH";
  }
}

function isOld(path) {
  const writtenAt = statSync(path, { throwIfNoEntry: false })?.mtimeMs;
  return writtenAt !== undefined && Date.now() - writtenAt > LONGEST_MS;
}

/** Of somebody who was ended in the middle. */
function removeRests(folder) {
  const name = `${basename(folder)}.`;
  for (const each of readdirSync(dirname(folder))) {
    if (!each.startsWith(name) || !/^\d+$/.test(each.slice(name.length))) continue;
    const rest = join(dirname(folder), each);
    if (isOld(rest)) rmSync(rest, { recursive: true, force: true });
  }
}
