import { api, isAbort } from "../core/api.js"
import { h } from "../core/dom.js"
import { remember } from "../core/router.js"
import { problem } from "../ui/problem.js"
import { segments } from "../ui/segments.js"
import { DatasetCard } from "./dataset.js"
import { histogramPair } from "./histograms.js"

const EVERY = 1_000 // milliseconds; how often a download under way is asked for
const PREPROCESSING = ["raw", "unit", "standardize", "zca"].map((name) => [name, name])
const NETWORKS = [
  ["conv7", "conv7: 32 × 32"],
  ["mlp", "mlp: as they are"],
]

/** The data sets: which are here, fetching those that are not, and what their pixels are like. */
export function dataPage({ root, query, signal }) {
  new DataPage(root, query, signal).load()
  return "Data"
}

class DataPage {
  #signal
  #chosen
  #cards = new Map()
  #timer = 0
  #list = h("div", { class: "datasets" }, Array.from({ length: 4 }, () => h("div", { class: "card skeleton dataset-skeleton" })))
  #pixels = h("section", { class: "run-section", id: "pixels", "aria-label": "Pixel values" })

  constructor(root, query, signal) {
    this.#signal = signal
    this.#chosen = { dataset: query.get("dataset") ?? "digits", preprocessing: oneOf(PREPROCESSING, query.get("preprocessing")), network: oneOf(NETWORKS, query.get("network")) }
    root.append(h("div", { class: "page-head" }, h("h1", {}, "Data")), this.#list, this.#pixels)
    signal.addEventListener("abort", () => clearTimeout(this.#timer))
  }

  async load() {
    clearTimeout(this.#timer)
    try {
      this.#take(await api.datasets(this.#signal))
    } catch (error) {
      if (!isAbort(error)) this.#list.replaceChildren(problem(error.message, () => (this.#cards.clear(), this.load())))
    }
  }

  #take(datasets) {
    const isFirst = this.#cards.size === 0
    for (const dataset of datasets) {
      const wasReady = this.#cards.get(dataset.name)?.isReady
      if (isFirst) this.#cards.set(dataset.name, new DatasetCard(dataset, () => this.load(), () => this.#look(dataset.name)))
      else this.#cards.get(dataset.name).update(dataset)
      if (!isFirst && dataset.name === this.#chosen.dataset && wasReady !== dataset.ready) this.#showPixels()
    }
    if (isFirst) {
      if (!this.#cards.has(this.#chosen.dataset)) this.#chosen.dataset = datasets[0].name
      this.#list.replaceChildren(...[...this.#cards.values()].map(({ element }) => element))
      this.#showPixels()
    }
    if ([...this.#cards.values()].some(({ isLoading }) => isLoading)) this.#timer = setTimeout(() => this.load(), EVERY)
  }

  #look(name) {
    this.#choose({ dataset: name })
    this.#showPixels()
    this.#pixels.scrollIntoView({ block: "start" })
  }

  #choose(change) {
    Object.assign(this.#chosen, change)
    remember({ ...this.#chosen, network: this.#chosen.network === NETWORKS[0][0] ? "" : this.#chosen.network })
  }

  #showPixels() {
    const { dataset, preprocessing, network } = this.#chosen
    const card = this.#cards.get(dataset)
    const pair = card.isReady ? histogramPair(() => this.#chosen, this.#signal) : null
    const set = (change) => {
      this.#choose(change)
      pair?.renew()
    }
    const sets = segments("Data set", [...this.#cards].map(([name]) => [name, name.replaceAll("_", " ")]), dataset, (name) => (this.#choose({ dataset: name }), this.#showPixels()))
    const ways = segments("Preprocessing", PREPROCESSING, preprocessing, (name) => set({ preprocessing: name }))
    const sizes = segments("Network", NETWORKS, network, (name) => set({ network: name }))
    const head = h("div", { class: "section-head pixels-head" }, h("h2", { id: "pixels-title" }, "Pixel values"), sets.element, ways.element, sizes.element)
    const focused = document.activeElement?.dataset?.value
    const absent = h("p", { class: "card not-asked" }, `${card.title} is not here yet: fetch it above, or put its files where they belong.`)
    this.#pixels.replaceChildren(head, pair?.element ?? absent)
    if (focused) this.#pixels.querySelector(`[data-value="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true })
  }
}

function oneOf(options, value) {
  return options.some(([known]) => known === value) ? value : options[0][0]
}
