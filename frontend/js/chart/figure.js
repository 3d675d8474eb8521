import { api, isAbort } from "../core/api.js"
import { h, setAttribute, setText } from "../core/dom.js"
import { count } from "../core/format.js"
import { Lazy } from "../core/seen.js"
import { onTheme, shownTheme } from "../core/theme.js"
import { problem } from "../ui/problem.js"
import { segments } from "../ui/segments.js"
import { plotly } from "./plotly.js"
import { Redraw } from "./redraw.js"
import { spread } from "./spread.js"
import { TableToggle } from "./table.js"
import { Zoom } from "./zoom.js"

const CONFIG = { displayModeBar: false, responsive: false, doubleClick: false, showTips: false }
const CELL = 34 // pixels that a number in a cell needs
const LABEL = 13 // pixels between the middles of two labels
const PENDING_EVERY = 1_000 // milliseconds; how often a figure that a worker is computing is asked for

/**
 * A figure of the service as a card: fetched when it comes into sight, again after `renew()`, with its table behind it.
 * `element` carries `data-figure` (its name) and `data-drawn` (number of drawings) for tests and scripts.
 *
 * Options: `query` gives the figure's parameters, for a plot of so many pixels; `part` what they are besides where a part
 * of the axis below is zoomed into (its ends, and the figure): such a figure is fetched anew for it; `counted` are the
 * words for one and for several of its points, whose number is said in the heading; `choice` is `{key, label, options, chosen}`, a parameter that the
 * reader sets; `nothing` says why there is nothing to draw; `pending` what is waited for; `adapt` may change traces
 * and layout before each drawing; `taken` hears of each figure that was fetched.
 */
export class FigureCard {
  element

  #options
  #signal
  #frame = h("div", { class: "chart-frame" })
  #plot = h("div", { class: "chart-plot", role: "img" })
  #note = h("p", { class: "chart-note" }, h("span", { class: "late" }, "Loading…"))
  #points = h("span", { class: "chart-points small muted nowrap" })
  #zoom
  #table
  #lazy
  #redraw = new Redraw(() => this.#draw())
  #figure = null
  #chosen = null
  #request = null
  #drawn = 0
  #timer = 0

  constructor(name, title, signal, options) {
    this.#options = { name, query: () => ({}), nothing: "Nothing was measured yet.", pending: "", adapt: () => {}, taken: () => {}, part: null, counted: null, ...options }
    this.#signal = signal
    this.#zoom = new Zoom(() => (this.#options.part ? this.#lazy.now() : this.#redraw.now()))
    this.#table = new TableToggle(title, () => this.#figure?.layout.meta.table)
    const choice = options.choice ? this.#choice(options.choice) : null
    const head = h("div", { class: "card-head" }, h("h3", {}, title), choice, h("span", { class: "header-space" }), this.#zoom.element, options.counted ? this.#points : null, this.#table.button)
    setAttribute(this.#plot, "aria-label", `${title}: nothing drawn yet`)
    this.#frame.append(this.#plot, this.#note, this.#table.element)
    this.element = h("section", { class: `card chart ${options.look ?? ""}`, "data-figure": name, "aria-label": `${title}, chart` }, head, this.#frame)
    this.#lazy = new Lazy(this.element, signal, () => this.#load())
    onTheme(signal, () => this.renew())
    const sizes = new ResizeObserver(() => this.#drawn && this.#redraw.later())
    sizes.observe(this.#frame)
    signal.addEventListener("abort", () => this.#leave(sizes))
  }

  /** There are new numbers, or another query. */
  renew() {
    this.#lazy.renew()
  }

  /** Draws again what was fetched. */
  redraw() {
    this.#redraw.now()
  }

  #choice({ key, label, options, chosen }) {
    this.#chosen = [key, chosen]
    const choose = (value) => {
      this.#chosen = [key, value]
      this.#zoom.forget()
      this.#lazy.now()
    }
    return segments(label, options, chosen, choose).element
  }

  async #load() {
    clearTimeout(this.#timer)
    this.#request?.abort()
    this.#request = new AbortController()
    const { query: asked, part } = this.#options
    const zoomed = part && this.#zoom.x ? part(this.#zoom.x, this.#figure) : {}
    const query = { ...asked(this.#plot.clientWidth), ...zoomed, ...(this.#chosen ? Object.fromEntries([this.#chosen]) : {}), theme: shownTheme() }
    try {
      const [figure] = await Promise.all([api.figure(this.#options.name, query, this.#request.signal), plotly()])
      if (this.#signal.aborted) return
      if (!figure.data) return this.#wait(figure)
      this.#figure = figure
      this.#options.taken(figure)
      await this.#redraw.now()
      this.#table.update()
    } catch (error) {
      if (!isAbort(error)) this.#note.replaceChildren(problem(error.message, () => this.#lazy.now()))
    }
  }

  #wait({ error }) {
    this.#note.replaceChildren(error ? problem(error, () => this.#lazy.now()) : this.#options.pending)
    if (!error) this.#timer = setTimeout(() => this.renew(), PENDING_EVERY)
  }

  async #draw() {
    if (this.#figure === null || this.#signal.aborted || this.#frame.offsetWidth === 0) return
    // Plotly writes into the layout that it is given: a copy keeps the figure's own ranges, to which a zoom returns.
    const layout = structuredClone(this.#figure.layout)
    Object.assign(layout, { width: this.#plot.clientWidth, height: this.#plot.clientHeight })
    layout.dragmode = matchMedia("(pointer: coarse)").matches ? false : "zoom"
    const Plotly = await plotly()
    if (this.#signal.aborted) return // the page was left meanwhile
    const data = structuredClone(this.#figure.data)
    const plotWidth = layout.width - (layout.margin?.l ?? 0) - (layout.margin?.r ?? 0)
    // Numbers that would stand upon each other are told by the table and on hover alone; a sign needs no such room.
    for (const trace of data) if (trace.type === "heatmap" && trace.texttemplate && longest(trace.text) > 1 && plotWidth / trace.x.length < CELL) trace.texttemplate = ""
    this.#options.adapt(data, layout)
    spreadLabels(layout)
    this.#zoom.keep(layout, this.#options.part !== null)
    await Plotly.react(this.#plot, data, layout, CONFIG)
    if (this.#drawn === 0) this.#zoom.watch(this.#plot)
    this.#drawn += 1
    this.element.dataset.drawn = this.#drawn
    this.#say()
  }

  #say() {
    if (this.#figure === null) return
    const isEmpty = !this.#figure.data.some(({ y, z }) => (z ?? y).flat().some((value) => value !== null))
    setAttribute(this.#plot, "aria-label", this.#figure.layout.meta.summary)
    this.#plot.style.visibility = isEmpty ? "hidden" : "visible"
    this.#note.replaceChildren(...(isEmpty ? [this.#options.nothing] : []))
    if (this.#options.counted) setText(this.#points, isEmpty ? "" : this.#counted(this.#figure.layout.meta))
  }

  #counted({ points, of }) {
    const noun = this.#options.counted[of === 1 ? 0 : 1]
    return points < of ? `${count(points)} of ${count(of)} ${noun}` : `all ${count(of)} ${noun}`
  }

  #leave(sizes) {
    sizes.disconnect()
    clearTimeout(this.#timer)
    this.#request?.abort()
    this.#redraw.stop()
    if (this.#drawn) window.Plotly.purge(this.#plot)
  }
}

function longest(texts) {
  return Math.max(0, ...texts.flat().map((text) => String(text ?? "").length))
}

/** Labels at lines' ends, kept apart on a plot of this height: the figure knows only how high charts are at most. */
function spreadLabels(layout) {
  if (!layout.yaxis?.range) return
  const { t = 0, b = 0 } = layout.margin ?? {}
  const [low, high] = layout.yaxis.range
  const height = layout.height - t - b
  for (const some of Map.groupBy((layout.annotations ?? []).filter(({ name, visible }) => name?.startsWith("label:") && visible !== false), ({ name }) => name).values()) {
    const places = some.map(({ y }) => (height * (y - low)) / (high - low))
    spread(places, LABEL, LABEL / 2, height - LABEL / 2).forEach((place, index) => (some[index].yshift = place - places[index]))
  }
}
