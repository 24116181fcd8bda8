import { readFileSync } from "node:fs";

/** A command of the page, and what it says that the command shows. */
interface Command {
  readonly line: string;
  readonly shows: readonly string[];
}

/** What one section tells whoever was woken. */
export interface Section {
  /** Where alerts point at: `breaker-open`. */
  readonly anchor: string;
  readonly look: { readonly queries: readonly string[]; readonly commands: readonly Command[] };
  readonly act: readonly Command[];
  /** Queries that hold once it is over. */
  readonly helped: readonly string[];
  /** Queries within its sentences. */
  readonly aside: readonly string[];
}

export interface Page {
  /** What is to be pasted into a shell first. */
  readonly functions: string;
  readonly sections: readonly Section[];
  /** Queries within the sentences of the chapters that are no section. */
  readonly aside: readonly string[];
}

/** Chapters that are about no symptom. */
const OTHERS = new Set(["before-you-begin", "afterwards"]);

export function readPage(): Page {
  const text = readFileSync(new URL("../../../docs/runbook.md", import.meta.url), "utf8");
  const chapters = text.split(/^## /m).slice(1);
  const anchored = chapters.map((chapter) => ({
    anchor: chapter.slice(0, chapter.indexOf("\n")).trim().toLowerCase().replaceAll(" ", "-"),
    chapter,
  }));
  const begin = anchored.find(({ anchor }) => anchor === "before-you-begin");
  const others = anchored.filter(({ anchor }) => OTHERS.has(anchor));
  return {
    aside: others.flatMap(({ chapter }) => asideOf(chapter)),
    functions: fencesOf(begin?.chapter ?? "", "sh").at(-1) ?? "",
    sections: anchored
      .filter(({ anchor }) => !OTHERS.has(anchor))
      .map(({ anchor, chapter }) => sectionOf(anchor, chapter)),
  };
}

function sectionOf(anchor: string, chapter: string): Section {
  const look = partOf(chapter, "Look");
  return {
    anchor,
    look: { queries: queriesOf(look), commands: commandsOf(look) },
    act: commandsOf(partOf(chapter, "Do")),
    helped: queriesOf(partOf(chapter, "It helped when")),
    aside: asideOf(chapter),
  };
}

function asideOf(chapter: string): readonly string[] {
  const sentences = chapter.replaceAll(/^```[\s\S]*?^```$/gm, "");
  return [...sentences.matchAll(/`([^`]*breakwater_[^`]*)`/g)].map(([, query = ""]) => query);
}

/** A part begins with its name in bold, `**Look**`, and ends where the next begins. */
function partOf(chapter: string, name: string): string {
  const parts = chapter.split(/^\*\*/m);
  return parts.find((part) => part.startsWith(`${name}**`) || part.startsWith(`${name}.**`)) ?? "";
}

function fencesOf(text: string, language: string): readonly string[] {
  return [...text.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)]
    .filter(([, name]) => name === language)
    .map(([, , body = ""]) => body);
}

const linesOf = (fences: readonly string[]): readonly string[] =>
  fences.flatMap((body) => body.split("\n")).filter((line) => line.trim() !== "");

const queriesOf = (part: string): readonly string[] => linesOf(fencesOf(part, "promql"));

function commandsOf(part: string): readonly Command[] {
  const commands: { line: string; shows: string[] }[] = [];
  for (const line of linesOf(fencesOf(part, "sh"))) {
    if (line.startsWith("# ")) commands.at(-1)?.shows.push(line.slice(2));
    else commands.push({ line, shows: [] });
  }
  return commands;
}
