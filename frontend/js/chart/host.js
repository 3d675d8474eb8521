import { api, isAbort } from "../core/api.js"
import { h, setAttribute, setText } from "../core/dom.js"
import { EpochFollower } from "../core/follower.js"
import { plural, words } from "../core/format.js"
import { store } from "../core/store.js"
import { onTheme, shownTheme } from "../core/theme.js"
import { problem } from "../ui/problem.js"
import { Emphasis } from "./emphasis.js"
import { Labels } from "./labels.js"
import { legend } from "./legend.js"
import { plotly } from "./plotly.js"
import { Redraw } from "./redraw.js"
import { curvesTable, TableToggle } from "./table.js"
import { Zoom } from "./zoom.js"

const NARROW = 540 // px; below, a legend takes the place of labels at the lines' ends
const MARGIN_RIGHT = 8 // px
const LAST_TICK = 6 // px, of half a number below the last tick
const MARGIN_TOP = 10 // px; the figure's own key of the dashes stands in the heading here
const CONFIG = { displayModeBar: false, responsive: false, doubleClick: false, showTips: false }
const PERCENT = 100

/**
 * A live chart. `element` carries for tests and scripts: `data-chart="accuracy"`, `data-drawn` (number of drawings),
 * and for every line `data-run-<id>-<metric>="<number of points drawn>"`, such as `data-run-7-test_accuracy="14"`.
 */
export class ChartHost {
  #name
  #signal
  #frame = h("div", { class: "chart-frame" })
  #plot = h("div", { class: "chart-plot", role: "img" })
  #note = h("p", { class: "chart-note" })
  #legend = h("div", { class: "chart-legend", hidden: true })
  #points = h("span", { class: "chart-points small muted nowrap" })
  #labels
  #table
  #updateLegend
  #emphasis = new Emphasis(this.#plot)
  #redraw = new Redraw(() => this.#draw())
  #zoom = new Zoom(() => this.#redraw.now())
  #figure = null
  #runs = []
  #splits = []
  #published = ""
  #followers = new Map()
  #early = []
  #hidden = new Set() // lines, each as "7:test_cost"
  #request = null
  #drawn = 0

  constructor(name, title, signal) {
    this.#name = name
    this.#signal = signal
    this.#frame.append(this.#plot, this.#note)
    this.#labels = new Labels(this.#frame, this.#emphasis, (runId, metric) => this.toggle(runId, metric))
    this.#table = new TableToggle(title, () => curvesTable(this.#figure, name))
    this.#frame.append(this.#table.element)
    const head = h("div", { class: "card-head" }, h("h2", {}, title), splitKey(), h("span", { class: "header-space" }), this.#zoom.element, this.#points, this.#table.button)
    this.element = h("section", { class: "card chart", "data-chart": name, "aria-label": `${title}, chart` }, head, this.#frame, this.#legend)
    store.listen(signal, (event) => this.#hear(event))
    onTheme(signal, () => this.#runs.length && this.show(this.#runs, this.#splits, this.#published))
    const sizes = new ResizeObserver(() => this.#figure && this.#drawn && this.#redraw.later())
    sizes.observe(this.#frame)
    signal.addEventListener("abort", () => this.#leave(sizes))
  }

  /** Shows the runs (summaries), in this order; `splits` is a list of `train` and `test`, `published` a published curve. */
  async show(runs, splits = ["train", "test"], published = "") {
    if (!runs.some((run) => this.#runs.some(({ id }) => id === run.id))) this.#zoom.leave()
    this.#runs = runs
    this.#splits = splits
    this.#published = published
    this.element.dataset.splits = splits.join(",")
    for (const name of this.element.getAttributeNames()) if (name.startsWith("data-run-")) this.element.removeAttribute(name)
    this.#request?.abort()
    this.#request = new AbortController()
    this.#figure = null
    this.#early = []
    if (this.#drawn === 0) this.#note.replaceChildren(h("span", { class: "late" }, "Loading the curves…"))
    const query = { runs: runs.map(({ id }) => id).join(","), theme: shownTheme(), splits: splits.join(","), references: published }
    try {
      const [figure] = await Promise.all([api.figure(this.#name, query, this.#request.signal), plotly()])
      if (!this.#signal.aborted) this.#take(figure)
    } catch (error) {
      if (!isAbort(error)) this.#note.replaceChildren(problem(error.message, () => this.show(runs, splits, published)))
    }
  }

  /** Hides or shows a line, or all lines of a run. */
  toggle(runId, metric = null) {
    const keys = this.#keys(runId, metric)
    const areHidden = keys.every((key) => this.#hidden.has(key))
    for (const key of keys) areHidden ? this.#hidden.delete(key) : this.#hidden.add(key)
    this.#redraw.now()
  }

  /** Lets a run stand out, or none. */
  emphasize(runId) {
    this.#emphasis.show(runId)
  }

  #take(figure) {
    this.#figure = figure
    const lines = figure.data.filter(({ meta }) => meta.metric)
    this.#labels.take(figure.layout.annotations ?? [], lines.length)
    Object.assign(figure.layout, { annotations: [], showlegend: false, autosize: true, datarevision: 0 })
    figure.layout.dragmode = matchMedia("(pointer: coarse)").matches ? false : "zoom"
    this.#followers = new Map(this.#runs.map(({ id }) => [id, new EpochFollower(id, this.#lastEpoch(id), (epochs) => this.#append(epochs))]))
    const labels = new Map(lines.map(({ meta }) => [meta.run_id, meta.label]))
    const isHidden = (id) => this.#keys(id).every((key) => this.#hidden.has(key))
    const { buttons, update } = legend(this.#runs, ({ id, name }) => labels.get(id) ?? name, isHidden, (id) => this.toggle(id))
    buttons.forEach((button, place) => this.#emphasis.offer(button, this.#runs[place].id))
    this.#legend.replaceChildren(...buttons)
    this.#updateLegend = update
    this.#redraw.now()
    for (const epoch of this.#early.splice(0)) this.#followers.get(epoch.run_id)?.offer(epoch)
  }

  #hear({ kind, id, data }) {
    if (kind === "run" && this.#drawn) this.#say()
    if (kind !== "epoch" || !this.#runs.some((run) => run.id === id)) return
    if (this.#figure === null) this.#early.push(data)
    else this.#followers.get(id).offer(data)
  }

  #append(epochs) {
    for (const epoch of epochs) {
      for (const line of this.#figure.data) {
        const { run_id, metric } = line.meta
        if (run_id !== epoch.run_id || metric === undefined) continue
        const value = epoch[metric]
        line.x.push(epoch.epoch + 1)
        line.y.push(value === null || !metric.endsWith("accuracy") ? value : PERCENT * value)
      }
    }
    // Marks of NaN and infinity are the figure's: it is fetched again where one is due.
    const isMarked = epochs.some(({ non_finite }) => Object.keys(non_finite).some((metric) => metric.endsWith(this.#name)))
    if (isMarked) this.show(this.#runs, this.#splits, this.#published)
    else this.#redraw.later()
  }

  async #draw() {
    if (this.#figure === null || this.#signal.aborted || this.#frame.offsetWidth === 0) return
    const { data, layout } = this.#figure
    const total = Math.max(...this.#runs.map(({ config }) => config.epochs))
    const done = Math.max(0, ...data.map(({ x, meta }) => (meta.reference ? 0 : (x.at(-1) ?? 0))))
    for (const line of data) line.visible = !this.#hidden.has(keyOf(line.meta.run_id, line.meta.metric ?? line.meta.non_finite_of))
    layout.yaxis.showticklabels = done > 0
    this.#zoom.apply(layout, total, done)
    layout.margin.t = MARGIN_TOP
    layout.margin.r = this.#isDirect ? this.#labels.room + MARGIN_RIGHT : MARGIN_RIGHT + LAST_TICK
    Object.assign(layout, { width: this.#plot.clientWidth, height: this.#plot.clientHeight, datarevision: layout.datarevision + 1 })
    this.#updateLegend()
    this.#legend.hidden = this.#isDirect || this.#runs.length === 1
    const Plotly = await plotly()
    await Plotly.react(this.#plot, data, layout, CONFIG)
    if (this.#drawn === 0) this.#watch()
    this.#drawn += 1
    this.#placeLabels()
    this.#say()
    this.#table.update()
  }

  #watch() {
    this.#plot.on("plotly_afterplot", () => {
      this.#placeLabels()
      this.#emphasis.apply()
    })
    this.#zoom.watch(this.#plot)
  }

  #placeLabels() {
    if (this.#figure === null) return
    if (this.#isDirect) this.#labels.place(this.#plot, (runId, metric) => this.#find(runId, metric))
    else this.#labels.hide()
  }

  get #isDirect() {
    return this.#labels.exist && this.#frame.offsetWidth >= NARROW
  }

  #say() {
    const lines = this.#figure?.data.filter(({ meta }) => meta.metric) ?? []
    let points = 0
    for (const { meta, x } of lines) {
      points += x.length
      setAttribute(this.element, `data-run-${meta.run_id}-${meta.metric}`, x.length)
    }
    this.element.dataset.drawn = this.#drawn
    const last = lines.filter(({ y }) => y.length).map(({ meta, y }) => `${meta.label} ${words(meta.metric)} ${y.at(-1)?.toFixed(this.#name === "accuracy" ? 2 : 4) ?? "not finite"}`)
    setAttribute(this.#plot, "aria-label", `${this.#name} by epoch. ${last.length ? `Last: ${last.join("; ")}` : "No epoch yet"}.`)
    setText(this.#points, points ? `all ${plural(points, "point")}` : "")
    const waiting = this.#runs.some(({ id }) => ["queued", "starting", "running"].includes(store.get(id)?.status))
    setText(this.#note, points ? "" : waiting ? "Waiting for the first epoch." : "No epoch was recorded.")
  }

  #keys(runId, metric = null) {
    const lines = this.#figure?.data.filter(({ meta }) => meta.run_id === runId && meta.metric && (metric === null || meta.metric === metric)) ?? []
    return lines.map(({ meta }) => keyOf(runId, meta.metric))
  }

  #find(runId, metric) {
    return this.#figure.data.find(({ meta }) => meta.run_id === runId && meta.metric === metric)
  }

  #lastEpoch(runId) {
    const line = this.#figure.data.find(({ meta }) => meta.run_id === runId && meta.metric)
    return (line?.x.at(-1) ?? 0) - 1
  }

  #leave(sizes) {
    sizes.disconnect()
    this.#request?.abort()
    this.#redraw.stop()
    if (this.#drawn) window.Plotly.purge(this.#plot)
  }
}

function keyOf(runId, metric) {
  return `${runId}:${metric}`
}

function splitKey() {
  return h(
    "span",
    { class: "split-key small muted" },
    h("span", { class: "split-test" }, "test"),
    h("span", { class: "split-train" }, "train"),
  )
}
