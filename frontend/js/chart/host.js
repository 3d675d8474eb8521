import { api, isAbort } from "../core/api.js"
import { h, setAttribute, setText } from "../core/dom.js"
import { EpochFollower } from "../core/follower.js"
import { count, plural, words } from "../core/format.js"
import { store } from "../core/store.js"
import { onTheme, shownTheme } from "../core/theme.js"
import { problem } from "../ui/problem.js"
import { Emphasis } from "./emphasis.js"
import { Labels } from "./labels.js"
import { legend } from "./legend.js"
import { lineOf, ownerOf } from "./owner.js"
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
const RENEW_EVERY = 1_000 // milliseconds; how often a figure that the service must compute is asked for

/**
 * A live chart. `element` carries for tests and scripts: `data-chart="accuracy"`, `data-drawn` (number of drawings),
 * and for every line `data-run-<id>-<metric>="<number of points drawn>"`, such as `data-run-7-test_accuracy="14"`;
 * a group's begins with `data-group-<key>`.
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
  #zoom
  #figure = null
  #runs = []
  #splits = []
  #published = ""
  #view = {}
  #followers = new Map()
  #early = []
  #hidden // lines, each as "7:test_cost"
  #look
  #request = null
  #renewal = 0 // a timer
  #isStale = false
  #isLoading = false
  #drawn = 0

  /** `look` is what a reader did to it before: `hidden` lines, the `zoom`; its `change` hears of a new `{hidden}` or `{zoom}`. */
  constructor(name, title, signal, look = { hidden: [], zoom: null, change: () => {} }) {
    this.#name = name
    this.#signal = signal
    this.#look = look
    this.#hidden = new Set(look.hidden)
    this.#zoom = new Zoom(() => this.#redraw.now(), look.zoom, (zoom) => look.change({ zoom }))
    this.#plot.setAttribute("aria-label", `${title}: no curve yet`)
    this.#frame.append(this.#plot, this.#note)
    this.#labels = new Labels(this.#frame, this.#emphasis, (owner, metric) => this.toggle(owner, metric))
    this.#table = new TableToggle(title, () => curvesTable(this.#figure, name))
    this.#frame.append(this.#table.element)
    const head = h("div", { class: "card-head" }, h("h2", {}, title), splitKey(), h("span", { class: "header-space" }), this.#zoom.element, this.#points, this.#table.button)
    this.element = h("section", { class: "card chart", "data-chart": name, "aria-label": `${title}, chart` }, head, this.#frame, this.#legend)
    store.listen(signal, (event) => this.#hear(event))
    onTheme(signal, () => this.#runs.length && this.show(this.#runs, this.#splits, this.#published, this.#view))
    const sizes = new ResizeObserver(() => this.#figure && this.#drawn && this.#redraw.later())
    sizes.observe(this.#frame)
    signal.addEventListener("abort", () => this.#leave(sizes))
  }

  /**
   * Shows the runs (summaries), in this order; `splits` is a list of `train` and `test`, `published` a published curve,
   * `view` what else the figure's address may hold: how runs are grouped, smoothed, and over what they are drawn.
   */
  async show(runs, splits = ["train", "test"], published = "", view = {}) {
    const isElsewhere = view.x !== this.#view.x || view.log !== this.#view.log
    if (this.#runs.length > 0 && (isElsewhere || !runs.some((run) => this.#runs.some(({ id }) => id === run.id)))) this.#zoom.leave()
    this.#runs = runs
    this.#splits = splits
    this.#published = published
    this.#view = view
    this.element.dataset.splits = splits.join(",")
    for (const name of this.element.getAttributeNames()) if (/^data-(run|group)-/.test(name)) this.element.removeAttribute(name)
    this.#figure = null
    this.#early = []
    if (this.#drawn === 0) this.#note.replaceChildren(h("span", { class: "late" }, "Loading the curves…"))
    await this.#fetch()
  }

  async #fetch() {
    clearTimeout(this.#renewal)
    this.#renewal = 0
    this.#request?.abort()
    const request = new AbortController()
    this.#request = request
    this.#isStale = false
    this.#isLoading = true
    const query = { ...this.#view, runs: this.#runs.map(({ id }) => id).join(","), theme: shownTheme(), splits: this.#splits.join(","), references: this.#published, width: this.#plot.clientWidth }
    try {
      const [figure] = await Promise.all([api.figure(this.#name, query, request.signal), plotly()])
      if (!this.#signal.aborted && request === this.#request) this.#take(figure)
    } catch (error) {
      if (!isAbort(error)) this.#note.replaceChildren(problem(error.message, () => this.show(this.#runs, this.#splits, this.#published, this.#view)))
    }
    if (request !== this.#request) return
    this.#isLoading = false
    this.#renewal = setTimeout(() => this.#rest(), RENEW_EVERY)
  }

  // Statistics and smoothing are the service's: such a figure is fetched again, at most once in a while.
  #renew() {
    this.#isStale = true
    if (this.#renewal === 0 && !this.#isLoading) this.#fetch()
  }

  #rest() {
    this.#renewal = 0
    if (this.#isStale && !this.#signal.aborted) this.#fetch()
  }

  get #isComputed() {
    return Boolean(this.#view.group_by || this.#view.smoothing || (this.#view.x && this.#view.x !== "epoch"))
  }

  /** Draws the chart's picture as a file: `format` is png or svg. */
  async save(format, filename) {
    const Plotly = await plotly()
    const { data, layout } = this.#figure
    const isDark = shownTheme() === "dark"
    const picture = { ...layout, showlegend: true, uirevision: undefined, paper_bgcolor: isDark ? "#171B1F" : "#FFFFFF", margin: { ...layout.margin, r: 24 } }
    await Plotly.downloadImage({ data, layout: picture, config: CONFIG }, { format, filename, width: 1000, height: 500, scale: format === "png" ? 2 : 1 })
  }

  /** Hides or shows a line, or all lines of a run or group. */
  toggle(owner, metric = null) {
    const keys = this.#keys(owner, metric)
    const areHidden = keys.every((key) => this.#hidden.has(key))
    for (const key of keys) areHidden ? this.#hidden.delete(key) : this.#hidden.add(key)
    this.#look.change({ hidden: [...this.#hidden] })
    this.#redraw.now()
  }

  /** Lets a run or group stand out, or none. */
  emphasize(owner) {
    this.#emphasis.show(owner)
  }

  /** What the legend names: the runs, or the groups as the figure draws them. */
  get #owners() {
    if (!this.#view.group_by) return this.#runs
    const last = this.#figure.data.filter(({ meta }) => meta.metric && meta.metric === `${this.#splits.includes("test") ? "test" : "train"}_${this.#name}`)
    return last.map(({ meta, line, marker }) => ({ id: meta.group, name: meta.label, style: { color: line.color, dark_color: line.color, marker: marker.symbol.replace("-open", "") } }))
  }

  #take(figure) {
    this.#figure = figure
    const lines = figure.data.filter(({ meta }) => meta.metric)
    this.#labels.take(figure.layout.annotations ?? [], lines.length)
    Object.assign(figure.layout, { annotations: [], showlegend: false, autosize: true, datarevision: 0 })
    figure.layout.dragmode = matchMedia("(pointer: coarse)").matches ? false : "zoom"
    const followed = this.#isComputed ? [] : this.#runs
    this.#followers = new Map(followed.map(({ id }) => [id, new EpochFollower(id, this.#lastEpoch(id), (epochs) => this.#append(epochs))]))
    const labels = new Map(lines.map(({ meta }) => [ownerOf(meta), meta.label]))
    const isHidden = (id) => this.#keys(id).every((key) => this.#hidden.has(key))
    const owners = this.#owners
    const { buttons, update } = legend(owners, ({ id, name }) => labels.get(String(id)) ?? name, isHidden, (id) => this.toggle(id))
    buttons.forEach((button, place) => this.#emphasis.offer(button, owners[place].id))
    this.#legend.replaceChildren(...buttons)
    this.#updateLegend = update
    this.#redraw.now()
    for (const epoch of this.#early.splice(0)) this.#followers.get(epoch.run_id)?.offer(epoch)
  }

  #hear({ kind, id, data }) {
    if (kind === "run" && this.#drawn) this.#say()
    if (kind !== "epoch" || !this.#runs.some((run) => run.id === id)) return
    if (this.#isComputed) return this.#renew()
    if (this.#isLoading) this.#early.push(data)
    this.#followers.get(id)?.offer(data)
  }

  #append(epochs) {
    for (const epoch of epochs) {
      for (const line of this.#figure.data) {
        const { run_id, metric } = line.meta
        if (run_id !== epoch.run_id || metric === undefined) continue
        const value = epoch[metric]
        line.x.push(epoch.epoch + 1)
        if (line.meta.of) line.meta.of += 1
        line.y.push(value === null || !metric.endsWith("accuracy") ? value : PERCENT * value)
      }
    }
    // Marks of NaN and infinity are the figure's: it is fetched again where one is due.
    const isMarked = epochs.some(({ non_finite }) => Object.keys(non_finite).some((metric) => metric.endsWith(this.#name)))
    if (isMarked) this.#renew()
    else this.#redraw.later()
  }

  async #draw() {
    if (this.#figure === null || this.#signal.aborted || this.#frame.offsetWidth === 0) return
    const { data, layout } = this.#figure
    const total = Math.max(...this.#runs.map(({ config }) => config.epochs))
    const lines = data.filter(({ meta }) => meta.metric)
    const isOverEpochs = (layout.meta.x ?? "epoch") === "epoch" && layout.xaxis.type !== "log"
    const done = isOverEpochs ? Math.max(0, ...lines.map(({ x }) => x.at(-1) ?? 0)) : 0
    for (const line of data) line.visible = line.meta.reference !== undefined || !this.#hidden.has(lineOf(line.meta))
    layout.yaxis.showticklabels = lines.some(({ x }) => x.length > 0)
    this.#zoom.apply(layout, isOverEpochs ? total : null, done)
    layout.margin.t = MARGIN_TOP
    layout.margin.r = this.#isDirect ? this.#labels.room + MARGIN_RIGHT : MARGIN_RIGHT + LAST_TICK
    Object.assign(layout, { width: this.#plot.clientWidth, height: this.#plot.clientHeight, datarevision: layout.datarevision + 1 })
    this.#updateLegend()
    this.#legend.hidden = this.#isDirect || this.#owners.length === 1
    const Plotly = await plotly()
    if (this.#signal.aborted) return // the page was left meanwhile
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
    if (this.#isDirect) this.#labels.place(this.#plot, (owner, metric) => this.#find(owner, metric))
    else this.#labels.hide()
  }

  get #isDirect() {
    return this.#labels.exist && this.#frame.offsetWidth >= NARROW
  }

  #say() {
    const lines = this.#figure?.data.filter(({ meta }) => meta.metric) ?? []
    let points = 0
    let all = 0
    for (const { meta, x } of lines) {
      points += x.length
      all += meta.of ?? x.length
      const owner = meta.group === undefined ? `run-${meta.run_id}` : `group-${meta.group}`
      setAttribute(this.element, `data-${owner}-${meta.metric}`, x.length)
    }
    this.element.dataset.drawn = this.#drawn
    const last = lines.filter(({ y }) => y.length).map(({ meta, y }) => `${meta.label} ${words(meta.metric)} ${y.at(-1)?.toFixed(this.#name === "accuracy" ? 2 : 4) ?? "not finite"}`)
    setAttribute(this.#plot, "aria-label", `${this.#name} by epoch. ${last.length ? `Last: ${last.join("; ")}` : "No epoch yet"}.`)
    setText(this.#points, !points ? "" : points < all ? `${count(points)} of ${plural(all, "point")}` : `all ${plural(points, "point")}`)
    const waiting = this.#runs.some(({ id }) => ["queued", "starting", "running"].includes(store.get(id)?.status))
    setText(this.#note, points ? "" : waiting ? "Waiting for the first epoch." : "No epoch was recorded.")
  }

  #keys(owner, metric = null) {
    const lines = this.#figure?.data.filter(({ meta }) => ownerOf(meta) === String(owner) && meta.metric && (metric === null || meta.metric === metric)) ?? []
    return lines.map(({ meta }) => lineOf(meta))
  }

  #find(owner, metric) {
    return this.#figure.data.find(({ meta }) => ownerOf(meta) === owner && meta.metric === metric)
  }

  #lastEpoch(runId) {
    const line = this.#figure.data.find(({ meta }) => meta.run_id === runId && meta.metric)
    return (line?.x.at(-1) ?? 0) - 1
  }

  #leave(sizes) {
    sizes.disconnect()
    this.#request?.abort()
    clearTimeout(this.#renewal)
    this.#redraw.stop()
    if (this.#drawn) window.Plotly.purge(this.#plot)
  }
}

function splitKey() {
  return h(
    "span",
    { class: "split-key small muted" },
    h("span", { class: "split-test" }, "test"),
    h("span", { class: "split-train" }, "train"),
  )
}
