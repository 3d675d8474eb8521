import { api, isAbort } from "../core/api.js"
import { h } from "../core/dom.js"
import { ago } from "../core/format.js"
import { problem } from "../ui/problem.js"
import { card } from "./facts.js"

const WORDS = { created: "launched", changed: "name, tags or notes changed", trashed: "moved to the trash", restored: "taken out of the trash", removed: "removed for good" }

/** What happened to the run, oldest first. */
export class HistoryCard {
  #id
  #signal
  #list = h("ol", { class: "history" })

  constructor(id, signal) {
    this.#id = id
    this.#signal = signal
    this.element = card("History", "history", this.#list)
    this.load()
  }

  async load() {
    try {
      const entries = await api.history(this.#id, this.#signal)
      this.#list.replaceChildren(...entries.map(line))
    } catch (error) {
      if (!isAbort(error)) this.#list.replaceChildren(h("li", {}, problem(error.message, () => this.load())))
    }
  }
}

function line({ at, kind, from_status: from, to_status: to, attempt, note }) {
  const word = kind === "step" && to ? (from === "queued" && to === "starting" ? `starting, attempt ${attempt}` : to) : (WORDS[kind] ?? kind)
  const wasLost = to === "queued" && from && from !== "paused"
  return h("li", { "data-tone": to === "failed" ? "bad" : wasLost ? "warn" : null }, h("span", { class: "history-word" }, wasLost ? "queued again" : from === "paused" && to === "queued" ? "resumed" : word), note && h("span", { class: "muted history-note", title: note }, note), h("span", { class: "muted small history-time" }, ago(at)))
}
