export function workspaces(): readonly string[];
