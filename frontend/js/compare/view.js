// What a view of runs is, by the names that the API and the address share, and what each is where nothing was chosen.
const DEFAULTS = {
  runs: "",
  filter: "",
  group_by: "",
  statistic: "mean",
  band: "ci",
  members: "",
  x: "epoch",
  log: "",
  smoothing: "",
  splits: "test,train",
  references: "",
  metric: "test_accuracy",
  epoch: "",
  target: "",
  baseline: "",
  against: "",
  chart: "scatter",
  fields: "",
  color: "",
  points_log: "",
  hidden_accuracy: "",
  hidden_cost: "",
  zoom_accuracy: "",
  zoom_cost: "",
  zoom_difference: "",
  zoom_points: "",
}
const DRAWN = ["group_by", "statistic", "band", "members", "x", "log", "smoothing"] // what a figure of lines depends on
const OF_POINTS = ["fields", "color", "points_log"]
const LEFT = ["chart", ...OF_POINTS, ...Object.keys(DEFAULTS).filter((name) => /^(hidden|zoom)_/.test(name))] // how charts were left
const ASKED = ["runs", "filter", "group_by", "statistic", "band", "metric", "epoch", "target", "baseline", "against", "x"]

/** The state of a view, read from an address. */
export function viewOf(query) {
  const view = { ...DEFAULTS }
  for (const name of Object.keys(DEFAULTS)) if (query.get(name)) view[name] = query.get(name)
  const splits = view.splits.split(",").filter((split) => ["test", "train"].includes(split))
  view.splits = (splits.length ? [...new Set(splits)] : ["test"]).join(",")
  return view
}

/** What of a view differs from the defaults: enough to show it again. */
export function addressOf(view) {
  const isDefault = (name) => view[name] === DEFAULTS[name] || (name === "splits" && view.splits.split(",").length === 2)
  return Object.fromEntries(Object.entries(view).filter(([name]) => !isDefault(name)))
}

/** What a figure of lines is asked for with. */
export function linesQuery(view) {
  return pick(view, DRAWN)
}

/** What a comparison is asked for with. */
export function comparisonQuery(view) {
  return pick(view, ASKED)
}

/** What the chart of runs as points or paths is asked for with. */
export function pointsQuery(view) {
  return { ...fullQuery(view), ...pick(view, OF_POINTS) }
}

/** What a report is asked for with: it shows what the page shows. */
export function reportQuery(view) {
  return { ...fullQuery(view), ...pick(view, LEFT) }
}

/** What any figure or table is asked for with. */
export function fullQuery(view) {
  return pick(view, [...new Set([...ASKED, ...DRAWN, "splits", "references"])])
}

function pick(view, names) {
  const known = names.filter((name) => view[name] !== "" && view[name] !== DEFAULTS[name])
  const query = Object.fromEntries(known.map((name) => [name, view[name]]))
  // The runs of a group were not at one time of day.
  if (query.group_by && query.x === "wall") query.x = "time"
  if (query.statistic === "median" && query.band === "se") query.band = "ci"
  return query
}
