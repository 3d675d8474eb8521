// What a reader did to a chart, as it stands in an address: the part that is zoomed into, and the lines that are hidden.

const DIGITS = 6 // of a range's end: finer than a pixel
const DATE = /^\d{4}-\d\d-\d\d/
const SECOND = 19 // characters of a date and time, to the second

/** "1,20,80,99.5": ends of x and y; "" for the whole chart. */
export function zoomText(ranges) {
  return ranges === null ? "" : [...ranges.x, ...ranges.y].map((end) => (typeof end === "number" ? String(+end.toPrecision(DIGITS)) : String(end).slice(0, SECOND))).join(",")
}

/** The ranges of such a text; null for the whole chart, and where it says nothing that can be shown. */
export function zoomOf(text) {
  const ends = text.split(",").map((end) => (DATE.test(end) ? end : end.trim() === "" ? NaN : Number(end)))
  if (ends.length !== 4 || ends.some((end) => typeof end === "number" && !Number.isFinite(end))) return null
  return { x: ends.slice(0, 2), y: ends.slice(2) }
}

/** "7,8.train": all lines of run 7, and run 8's of training, of lines "7:test_cost" of a chart of costs. */
export function hiddenText(lines, quantity) {
  const splits = new Map()
  for (const line of lines) {
    const [owner, metric] = line.split(":")
    splits.set(owner, [...(splits.get(owner) ?? []), metric.replace(`_${quantity}`, "")])
  }
  return [...splits].map(([owner, names]) => (names.length === 2 ? owner : `${owner}.${names[0]}`)).join(",")
}

/** The lines of such a text. */
export function hiddenOf(text, quantity) {
  return text.split(",").filter(Boolean).flatMap((part) => {
    const [owner, split] = part.split(".")
    return (split ? [split] : ["test", "train"]).map((name) => `${owner}:${name}_${quantity}`)
  })
}
