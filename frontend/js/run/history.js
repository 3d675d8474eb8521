import { api, isAbort } from "../core/api.js"
import { h } from "../core/dom.js"
import { ago } from "../core/format.js"
import { icon } from "../ui/icons.js"
import { problem } from "../ui/problem.js"
import { stateLook } from "../ui/state.js"
import { card } from "./facts.js"

const KINDS = {
  created: ["add", "quiet", "launched"],
  changed: ["pencil", "quiet", "name, tags or notes changed"],
  trashed: ["trash", "quiet", "moved to the trash"],
  restored: ["restore", "quiet", "taken out of the trash"],
  removed: ["trash", "quiet", "removed for good"],
  note: ["dot", "quiet", "note"],
}

/** What happened to the run, oldest first: its states, its attempts, and what was noted of them. */
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
      const attempts = new Set(entries.map(({ attempt }) => attempt).filter(Boolean)).size
      this.#list.replaceChildren(...entries.map((entry) => line(entry, attempts > 1)))
    } catch (error) {
      if (!isAbort(error)) this.#list.replaceChildren(h("li", {}, problem(error.message, () => this.load())))
    }
  }
}

function line(entry, hasAttempts) {
  const { at, attempt, note } = entry
  const [name, tone, word] = look(entry)
  const which = hasAttempts && entry.to_status === "starting" ? h("span", { class: "tag" }, `attempt ${attempt}`) : null
  return h("li", { "data-tone": tone }, h("span", { class: "history-icon" }, icon(name)), h("span", { class: "history-word" }, word), which, note && h("p", { class: "muted history-note", title: note }, note), h("span", { class: "muted small history-time" }, ago(at)))
}

function look({ kind, from_status: from, to_status: to }) {
  if (kind !== "step" || !to) return KINDS[kind] ?? ["dot", "quiet", kind]
  if (to === "queued" && from === "paused") return ["play", "quiet", "resumed"]
  if (to === "queued" && from) return ["recover", "warn", "queued again"]
  return [...stateLook(to), to]
}
