import { bytes, configValue, cost, duration, exactTime, percent, secondsBetween, timeLeft, words } from "../core/format.js"
import { isOpen } from "../ui/state.js"

/**
 * What the table can show. `sort` is the service's key; `text` gives the cell's words; `width` is in pixels;
 * `shown` marks those that are there unless others were chosen. A cell without `text` is made by `cells.js`.
 */
const BUILT_IN = [
  { name: "name", word: "name", sort: "name", width: 260, shown: true },
  { name: "backprop", word: "method", sort: "backprop", width: 80, shown: true, text: ({ config }) => config.backprop },
  { name: "dataset", word: "data set", sort: "dataset", width: 112, shown: true, text: ({ config }) => config.dataset },
  { name: "status", word: "state", sort: "status", width: 180, shown: true },
  { name: "epochs_done", word: "epochs", sort: "epochs_done", width: 84, shown: true, isNumber: true, title: "Epochs done, of those asked for", text: (run) => `${run.epochs_done}/${run.config.epochs}` },
  { name: "test_accuracy", word: "test, %", sort: "test_accuracy", width: 80, shown: true, isNumber: true, text: ({ latest }) => percent(latest?.test_accuracy) },
  { name: "train_accuracy", word: "train, %", sort: "train_accuracy", width: 80, shown: true, isNumber: true, text: ({ latest }) => percent(latest?.train_accuracy) },
  { name: "spark", word: "test accuracy", sort: null, width: 108, shown: true },
  { name: "duration", word: "time", sort: "duration", width: 120, shown: true, isNumber: true, text: timeText },
  { name: "created", word: "launched", sort: "created", width: 104, shown: true, isNumber: true },
  { name: "best_test_accuracy", word: "best test, %", sort: "best_test_accuracy", width: 104, isNumber: true, text: (run) => percent(run.best_test_accuracy) },
  { name: "test_cost", word: "test cost", sort: "test_cost", width: 96, isNumber: true, text: ({ latest }) => cost(latest?.test_cost) },
  { name: "train_cost", word: "train cost", sort: "train_cost", width: 96, isNumber: true, text: ({ latest }) => cost(latest?.train_cost) },
  { name: "disk", word: "disk", sort: "disk", width: 88, isNumber: true, text: (run) => bytes(run.disk_bytes) },
  { name: "peak_memory", word: "peak memory", sort: "peak_memory", width: 116, isNumber: true, title: "The most that a process of the run has held", text: (run) => (run.peak_memory_bytes === null ? "–" : bytes(run.peak_memory_bytes)) },
  { name: "id", word: "number", sort: "id", width: 80, isNumber: true, text: ({ id }) => String(id) },
  { name: "launch", word: "launch", sort: "launch", width: 80, isNumber: true, text: (run) => String(run.launch_id) },
  { name: "parent", word: "came from", sort: "parent", width: 130, text: ({ relation, parent_id }) => (parent_id ? `${relation} of ${parent_id}` : "–") },
  { name: "attempt", word: "attempt", sort: "attempt", width: 80, isNumber: true, text: ({ attempt }) => String(attempt) },
  { name: "started", word: "started", sort: "started", width: 190, isNumber: true, text: (run) => (run.started_at ? exactTime(run.started_at) : "–") },
  { name: "finished", word: "ended", sort: "finished", width: 190, isNumber: true, text: (run) => (run.finished_at ? exactTime(run.finished_at) : "–") },
]
const KNOWN = new Map(BUILT_IN.map((column) => [column.name, column]))
const UNSORTED = new Set(["quirks", "robustness_epsilons"])

export const DEFAULT_COLUMNS = BUILT_IN.filter(({ shown }) => shown).map(({ name }) => name)

/** The column of this name: one of the above, or a field of the configuration. */
export function columnOf(name) {
  return KNOWN.get(name) ?? { name, word: words(name), sort: UNSORTED.has(name) ? null : name, width: 120, isNumber: true, text: ({ config }) => (name in config ? configValue(short(config[name]), name) : "–") }
}

/** All that can be chosen: in groups, `[title, names]`. */
export function columnGroups(config) {
  const fields = Object.keys(config).filter((name) => !KNOWN.has(name))
  return [["The run", BUILT_IN.map(({ name }) => name).filter((name) => name !== "name")], ["Its configuration", fields]]
}

// As exact as a column is wide; the run's own page has every digit.
function short(value) {
  return typeof value === "number" ? Number(value.toPrecision(5)) : value
}

function timeText(run) {
  if (run.status === "queued") return run.queue_position === 1 ? "next" : run.queue_position ? `${run.queue_position - 1} ahead` : ""
  if (isOpen(run)) return timeLeft(run.progress?.seconds_left) || "starting"
  return run.started_at ? duration(secondsBetween(run.started_at, run.finished_at)) : ""
}
