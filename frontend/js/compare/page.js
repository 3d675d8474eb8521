import { ChartHost } from "../chart/host.js"
import { hiddenOf, hiddenText, zoomOf, zoomText } from "../chart/look.js"
import { api, isAbort } from "../core/api.js"
import { h } from "../core/dom.js"
import { remember } from "../core/router.js"
import { store } from "../core/store.js"
import { problem } from "../ui/problem.js"
import { viewsMenu } from "../ui/views.js"
import { PointAxes } from "./axes.js"
import { ComparedChart } from "./card.js"
import { Controls } from "./controls.js"
import { exportMenu } from "./menu.js"
import { runPicker } from "./picker.js"
import { CompareTable } from "./table.js"
import { VerdictCard } from "./verdict.js"
import { addressOf, comparisonQuery, fullQuery, linesQuery, pointsQuery, reportQuery, viewOf } from "./view.js"

const MOST = 100 // runs in one figure
const RENEW_EVERY = 1_000 // milliseconds; how often the numbers are asked for while runs go on
const RELATIONS = { scatter: "Field against result", parallel: "All that differs", pareto: "Speed against accuracy" }
const OF_LINES = ["group_by", "statistic", "band", "members", "x", "log", "smoothing", "splits", "references"]
const OF_POINTS = ["metric", "epoch", "fields", "color", "points_log"]

/** Runs over each other: curves, a verdict, what differs between them, and what came of it. All of it is in the address. */
export function comparePage({ root, query, signal }) {
  new ComparePage(root, query, signal).load()
  return "Compare"
}

class ComparePage {
  #view
  #ids
  #signal
  #charts
  #difference
  #relation
  #axes
  #chosenFields = new Map() // by chart: what was chosen before another chart was
  #verdict
  #controls
  #table
  #runs = []
  #limit = ""
  #timer = 0
  #isStale = false
  #isAsking = false
  #layout
  #body = h("div", { class: "compare-body" })
  #notice = h("div", { class: "compare-notice" })

  constructor(root, query, signal) {
    this.#view = viewOf(query)
    if (query.get("published")) this.#view.references = query.get("published")
    const asked = [...new Set(this.#view.runs.split(",").filter((id) => /^\d+$/.test(id)).map(Number))]
    this.#ids = asked.slice(0, MOST)
    if (asked.length > MOST) this.#limit = `A comparison shows ${MOST} runs at most: of the ${asked.length} that were chosen, these are the first.`
    this.#signal = signal
    this.#view.chart = this.#chart
    this.#charts = [["accuracy", "Accuracy"], ["cost", "Cost"]].map(([name, title]) => new ChartHost(name, title, signal, this.#look(name)))
    this.#axes = new PointAxes(this.#view, signal, (part) => this.#change(part))
    this.#difference = new ComparedChart("difference", "Paired difference", signal, this.#zoomOf("difference"))
    this.#relation = new ComparedChart(this.#chart, "Runs as points", signal, { ...this.#zoomOf("points"), tools: this.#relationChoice(), below: this.#axes.element, heard: (meta) => this.#axes.follow(meta) })
    this.#verdict = new VerdictCard((part) => this.#change(part))
    this.#controls = new Controls(this.#view, signal, (part) => this.#change(part))
    this.#table = new CompareTable({ remove: (id) => this.#remove(id), point: (owner) => this.#charts.forEach((chart) => chart.emphasize(owner)), base: (part) => this.#change(part) })
    const results = h("div", { class: "compare-results" }, h("div", { class: "chart-pair" }, this.#charts.map(({ element }) => element)), this.#verdict.element, h("div", { class: "chart-pair compare-more" }, this.#difference.element, this.#relation.element), this.#table.element)
    this.#layout = [this.#controls.element, results]
    const menus = [viewsMenu(() => location.search.slice(1), signal), exportMenu((kind) => (kind === "html" ? this.#reportQuery : this.#query), () => this.#pictures(), signal)]
    root.append(h("div", { class: "page-head" }, h("h1", {}, "Compare"), runPicker(signal, () => this.#ids, (run) => this.#add(run)), h("span", { class: "header-space" }), menus), this.#notice, this.#body)
    signal.addEventListener("abort", () => clearTimeout(this.#timer))
    store.listen(signal, (event) => this.#hear(event))
  }

  async load() {
    if (this.#ids.length === 0 && !this.#view.filter) return this.#body.replaceChildren(empty())
    try {
      const query = this.#ids.length ? { ids: this.#ids.join(",") } : { filter: this.#view.filter }
      const { runs } = await api.runs({ ...query, limit: MOST }, this.#signal)
      store.put(runs)
      this.#take(runs)
    } catch (error) {
      if (!isAbort(error)) this.#body.replaceChildren(problem(error.message, () => this.load()))
    }
  }

  get #query() {
    return { ...fullQuery(this.#view), runs: this.#ids.join(",") }
  }

  get #reportQuery() {
    return { ...reportQuery(this.#view), runs: this.#ids.join(",") }
  }

  get #chart() {
    return this.#view.chart in RELATIONS ? this.#view.chart : "scatter"
  }

  // What a reader does to a chart is part of the view: it is in the address, and shown again by it.
  #look(name) {
    const change = ({ hidden, zoom }) => {
      if (hidden !== undefined) this.#view[`hidden_${name}`] = hiddenText(hidden, name)
      if (zoom !== undefined) this.#view[`zoom_${name}`] = zoomText(zoom)
      this.#remember()
    }
    return { hidden: hiddenOf(this.#view[`hidden_${name}`], name), zoom: zoomOf(this.#view[`zoom_${name}`]), change }
  }

  #zoomOf(name) {
    const zoomed = (zoom) => {
      this.#view[`zoom_${name}`] = zoomText(zoom)
      this.#remember()
    }
    return { zoom: zoomOf(this.#view[`zoom_${name}`]), zoomed }
  }

  #take(runs) {
    const found = new Map(runs.map((run) => [run.id, run]))
    if (this.#ids.length === 0) this.#ids = [...found.keys()].sort((one, other) => one - other)
    const lost = this.#ids.filter((id) => !found.has(id))
    const gone = lost.length ? `There is no run ${lost.join(", ")} (any more), or it is in the trash; the others are shown.` : ""
    this.#notice.replaceChildren(...[this.#limit, gone].filter(Boolean).map((text) => problem(text)))
    this.#ids = this.#ids.filter((id) => found.has(id))
    this.#runs = this.#ids.map((id) => found.get(id))
    this.#draw()
  }

  #draw() {
    this.#remember()
    if (this.#runs.length === 0) return this.#body.replaceChildren(empty())
    if (!this.#controls.element.isConnected) this.#body.replaceChildren(...this.#layout)
    this.#drawLines()
    this.#drawPoints()
    this.#compare()
  }

  #drawPoints() {
    this.#relation.show({ ...pointsQuery(this.#view), runs: this.#ids.join(",") }, this.#chart)
  }

  #drawLines() {
    for (const chart of this.#charts) chart.show(this.#runs, this.#view.splits.split(","), this.#view.references, linesQuery(this.#view))
  }

  #change(part) {
    Object.assign(this.#view, part)
    this.#remember()
    if (this.#runs.length === 0) return
    if (Object.keys(part).some((name) => OF_LINES.includes(name))) this.#drawLines()
    if ("fields" in part || "points_log" in part) this.#relation.showWhole()
    if (Object.keys(part).some((name) => OF_POINTS.includes(name))) this.#drawPoints()
    if (Object.keys(part).some((name) => !OF_POINTS.slice(2).includes(name))) this.#compare()
  }

  /** Asks for the numbers; while an answer is awaited, or has just come, once more afterwards is enough. */
  async #compare() {
    if (this.#isAsking) return (this.#isStale = true)
    clearTimeout(this.#timer)
    this.#timer = 0
    this.#isAsking = true
    this.#isStale = false
    try {
      const comparison = await api.comparison({ ...comparisonQuery(this.#view), runs: this.#ids.join(",") }, this.#signal)
      this.#controls.offer(comparison.differing)
      this.#axes.offer(comparison)
      this.#table.show(comparison, this.#view.group_by !== "")
      this.#verdict.show(comparison)
      const hasPairs = comparison.verdict !== null && comparison.verdict.pairs.length > 0
      this.#difference.element.hidden = !hasPairs
      if (hasPairs) this.#difference.show(this.#query)
    } catch (error) {
      if (!isAbort(error)) this.#notice.replaceChildren(problem(error.message, () => this.#compare()))
    }
    this.#isAsking = false
    if (this.#signal.aborted) return
    if (this.#isStale) return this.#compare()
    this.#timer = setTimeout(() => {
      this.#timer = 0
      if (this.#isStale) this.#compare()
    }, RENEW_EVERY)
  }

  #hear({ kind, id }) {
    if (!this.#ids.includes(id)) return
    if (kind === "removed") return this.#remove(id)
    if (kind === "run" || kind === "epoch") this.#table.update()
    if (kind !== "epoch") return
    this.#relation.renew()
    this.#isStale = true
    if (this.#timer === 0 && !this.#isAsking) this.#compare()
  }

  #add(run) {
    if (this.#ids.includes(run.id)) return
    store.put([run])
    this.#ids.push(run.id)
    this.#runs.push(run)
    this.#draw()
  }

  #remove(id) {
    this.#ids = this.#ids.filter((other) => other !== id)
    this.#runs = this.#runs.filter((run) => run.id !== id)
    this.#draw()
  }

  #relationChoice() {
    const select = h("select", { class: "select relation", "aria-label": "Chart of runs", "data-testid": "relation" }, Object.entries(RELATIONS).map(([name, title]) => h("option", { value: name }, title)))
    select.value = this.#chart
    select.addEventListener("change", () => {
      this.#chosenFields.set(this.#view.chart, this.#view.fields)
      this.#view.chart = select.value
      this.#change({ fields: this.#chosenFields.get(select.value) ?? "" })
    })
    return select
  }

  #pictures() {
    const [accuracy, cost] = this.#charts
    const difference = this.#difference.element.hidden ? [] : [["difference", "Paired difference", this.#difference]]
    return [["accuracy", "Accuracy", accuracy], ["cost", "Cost", cost], ...difference, [this.#chart, RELATIONS[this.#chart], this.#relation]]
  }

  #remember() {
    this.#view.runs = this.#view.filter ? "" : this.#ids.join(",")
    remember(addressOf(this.#view))
  }
}

function empty() {
  return h("div", { class: "empty card", "data-testid": "empty" }, h("h2", {}, "No runs to compare yet"), h("p", { class: "muted" }, "Add runs by their names above, or choose them in the list of runs and press Compare."), h("a", { class: "button", href: "/" }, "Choose runs"))
}
