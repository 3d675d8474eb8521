import { ChartHost } from "../chart/host.js"
import { api, isAbort } from "../core/api.js"
import { h, setText } from "../core/dom.js"
import { plural, secondsBetween } from "../core/format.js"
import { store } from "../core/store.js"
import { glyph } from "../ui/glyph.js"
import { isLive, isOpen } from "../ui/state.js"

const MOST = 20 // runs in the strip's charts
const NAMED = 3 // runs whose names stand above the charts; of more, the number
const RECENT = 24 * 3600 // seconds since its end for which the newest launch is still shown
const FOLDED = "lab-live-folded"
const NARROW = "(max-width: 720px)" // where charts would push the table out of sight

/** Accuracy and cost of the newest launch that has begun, side by side, above the table; can be folded away. */
export class LiveStrip {
  element = h("section", { class: "live-strip", "aria-label": "The newest launch", hidden: true, "data-testid": "live-strip" })

  #signal
  #title = h("div", { class: "live-title" })
  #note = h("span", { class: "muted small" })
  #compare = h("a", { class: "small nowrap" }, "Open in Compare")
  #fold = h("button", { type: "button", class: "link-button small nowrap", onclick: () => this.#toggle() })
  #pair = h("div", { class: "chart-pair" })
  #charts = []
  #runs = []
  #timer = 0
  #rowsAreThere

  /** The charts' library is large: it is fetched and started once `rowsAreThere`, which are what one came for. */
  constructor(signal, rowsAreThere) {
    this.#signal = signal
    this.#rowsAreThere = rowsAreThere
    this.element.append(h("div", { class: "live-head" }, this.#title, this.#note, h("span", { class: "header-space" }), this.#compare, this.#fold), this.#pair)
    store.listen(signal, ({ kind, id, data }) => {
      const isMine = this.#runs.some((run) => run.id === id)
      if (kind === "removed" || (kind === "run" && (isMine ? data.deleted_at : isLive(data)))) this.#later()
    })
    // What is known is shown at once, so that the table below does not move when the answer comes.
    this.#show(newestLaunch(store.newest))
    this.#load()
  }

  #later() {
    this.#timer ||= setTimeout(() => ((this.#timer = 0), this.#load()), 300)
  }

  async #load() {
    try {
      const page = await api.runs({ limit: 100 }, this.#signal)
      store.put(page.runs)
      const runs = newestLaunch(page.runs)
      if (idsOf(runs) !== idsOf(this.#runs)) this.#show(runs)
    } catch (error) {
      if (!isAbort(error)) this.element.hidden = true
    }
  }

  #show(runs) {
    this.#runs = runs
    this.element.hidden = runs.length === 0
    if (runs.length === 0) return
    this.#compare.href = `/compare?runs=${idsOf(runs)}${haveSeeds(runs) ? "&group_by=all" : ""}`
    const names = runs.length > NAMED ? [] : runs.map((run) => h("a", { class: "live-run", href: `/runs/${run.id}` }, glyph(run), h("span", { class: "cut" }, run.name)))
    this.#title.replaceChildren(h("h2", {}, "Newest launch"), ...names)
    const number = runs.length > NAMED ? plural(runs.length, "run") : ""
    setText(this.#note, runs.length > MOST ? `${number}; the charts show the first ${MOST}` : number)
    this.#draw()
  }

  #toggle() {
    localStorage.setItem(FOLDED, isFolded() ? "no" : "yes")
    this.#draw()
  }

  #draw() {
    const folded = isFolded()
    this.#pair.hidden = folded
    this.#fold.setAttribute("aria-expanded", String(!folded))
    setText(this.#fold, folded ? "Show charts" : "Hide charts")
    if (folded) return
    if (this.#charts.length === 0) {
      this.#charts = [new ChartHost("accuracy", "Accuracy", this.#signal), new ChartHost("cost", "Cost", this.#signal)]
      this.#pair.append(...this.#charts.map(({ element }) => element))
    }
    this.#rowsAreThere.then(() => this.#charts.forEach((chart) => chart.show(this.#runs.slice(0, MOST))))
  }
}

function isFolded() {
  return (localStorage.getItem(FOLDED) ?? (matchMedia(NARROW).matches ? "yes" : "no")) === "yes"
}

function newestLaunch(runs) {
  const begun = runs.find((run) => isLive(run) || (isOpen(run) && run.epochs_done > 0)) ?? runs.find((run) => run.epochs_done > 0 || isOpen(run))
  if (!begun) return []
  const isRecent = isOpen(begun) || secondsBetween(begun.finished_at, null) < RECENT
  return isRecent ? runs.filter(({ launch_id }) => launch_id === begun.launch_id).sort((a, b) => a.id - b.id) : []
}

/** Whether some of the runs differ by their seed alone: their mean and its band are what they were launched for. */
function haveSeeds(runs) {
  return new Set(runs.map(({ config }) => JSON.stringify({ ...config, seed: 0 }))).size < runs.length
}

function idsOf(runs) {
  return runs.map(({ id }) => id).join(",")
}
