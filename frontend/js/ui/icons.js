import { svg } from "../core/dom.js"

// Drawn on a grid of 16 by 16, one line width; `fill` marks the solid ones.
const PATHS = {
  add: { d: "M8 3v10M3 8h10" },
  arrow: { d: "M3 8h9M8.5 4l4 4-4 4" },
  auto: { d: "M8 2.5a5.5 5.5 0 1 0 0 11z", fill: true, also: "M8 2.5a5.5 5.5 0 1 1 0 11 5.5 5.5 0 0 1 0-11z" },
  clock: { d: "M8 4.5V8l2.5 1.5M8 2.5a5.5 5.5 0 1 1 0 11 5.5 5.5 0 0 1 0-11z" },
  close: { d: "M4 4l8 8M12 4l-8 8" },
  compare: { d: "M2.5 12.5c3-7 5-8 11-8.5M2.5 13.5c4-3.5 6-5 11-5.5" },
  copy: { d: "M5.5 5.5h7v7h-7zM10.5 5.5v-2h-7v7h2" },
  cross: { d: "M5 5l6 6M11 5l-6 6M8 1.8a6.2 6.2 0 1 1 0 12.4 6.2 6.2 0 0 1 0-12.4z" },
  dot: { d: "M8 4.5a3.5 3.5 0 1 1 0 7 3.5 3.5 0 0 1 0-7z", fill: true },
  fetch: { d: "M8 2.5v7.5M4.8 7L8 10.2 11.2 7M3 13.5h10" },
  down: { d: "M4 6.5l4 4 4-4" },
  kill: { d: "M5 2.5h6l2.5 2.5v6L11 13.5H5L2.5 11V5zM8 5.3v3.4M8 10.9v.2" },
  moon: { d: "M13 9.8A5.5 5.5 0 1 1 6.2 3a4.5 4.5 0 0 0 6.8 6.8z" },
  note: { d: "M3.5 2.5h9v11h-9zM6 5.5h4M6 8h4M6 10.5h2" },
  pause: { d: "M6 4v8M10 4v8" },
  pencil: { d: "M3 13l.6-2.6L10.5 3.5l2 2L5.6 12.4z" },
  play: { d: "M5.5 3.8l6.5 4.2-6.5 4.2z" },
  rank: { d: "M4 13V9M8 13V6M12 13V3" },
  recover: { d: "M13 8a5 5 0 1 1-1.7-3.7M13 2.5v2.7h-2.7" },
  restore: { d: "M3 8a5 5 0 1 0 1.7-3.7M3 2.5v2.7h2.7" },
  right: { d: "M5 4l4.5 4L5 12" },
  ring: { d: "M8 4.5a3.5 3.5 0 1 1 0 7 3.5 3.5 0 0 1 0-7z" },
  search: { d: "M7 3a4 4 0 1 1 0 8 4 4 0 0 1 0-8zM10 10l3.5 3.5" },
  stop: { d: "M4.5 4.5h7v7h-7z" },
  sun: { d: "M8 5.3a2.7 2.7 0 1 1 0 5.4 2.7 2.7 0 0 1 0-5.4zM8 1.5v1.5M8 13v1.5M1.5 8H3M13 8h1.5M3.4 3.4l1.1 1.1M11.5 11.5l1.1 1.1M12.6 3.4l-1.1 1.1M4.5 11.5l-1.1 1.1" },
  table: { d: "M2.5 3.5h11v9h-11zM2.5 6.5h11M2.5 9.5h11M6.5 3.5v9" },
  tag: { d: "M2.5 3v4.5l6 6 5-5-6-6H3a.5.5 0 0 0-.5.5zM5.3 5.3v.01" },
  tick: { d: "M5 8.2l2.2 2.2L11.2 6M8 1.8a6.2 6.2 0 1 1 0 12.4 6.2 6.2 0 0 1 0-12.4z" },
  trash: { d: "M3 4.5h10M6 4.5V3h4v1.5M4.5 4.5l.6 8.5h5.8l.6-8.5" },
  warning: { d: "M8 2.5l6 10.5H2zM8 6.5v3M8 11.2v.3" },
}

/** An icon beside a word: not read aloud. */
export function icon(name, size = 16) {
  const { d, fill, also } = PATHS[name]
  const shape = svg("path", fill ? { d, fill: "currentColor" } : { d })
  const frame = { width: size, height: size, viewBox: "0 0 16 16", fill: "none", stroke: "currentColor", "stroke-width": 1.5 }
  const ends = { "stroke-linecap": "round", "stroke-linejoin": "round", "aria-hidden": "true" }
  return svg("svg", { ...frame, ...ends }, shape, also && svg("path", { d: also }))
}
