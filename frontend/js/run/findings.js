import { api, isAbort } from "../core/api.js"
import { h } from "../core/dom.js"
import { plural } from "../core/format.js"
import { Lazy } from "../core/seen.js"
import { icon } from "../ui/icons.js"
import { problem } from "../ui/problem.js"

const MOST = 100 // failures that are written out

/** What failed in a run's gradient audits, in words, newest first. */
export class AuditFindings {
  #id
  #signal
  #lazy
  #known = -1 // finished epochs of the newest audit that is here
  #entries = []
  #list = h("div", { class: "findings", tabindex: 0, role: "log", "aria-label": "What failed" })

  constructor(run, signal) {
    this.#id = run.id
    this.#signal = signal
    this.element = h("section", { class: "card", "aria-label": "Findings", "data-testid": "findings" }, h("div", { class: "card-head" }, h("h3", {}, "Findings")), this.#list)
    this.#lazy = new Lazy(this.element, signal, () => this.#load())
  }

  renew() {
    this.#lazy.renew()
  }

  async #load() {
    try {
      const audit = await api.audit(this.#id, { after: this.#known }, this.#signal)
      const fresh = audit.entries.filter(({ epochs_done: done }) => done > this.#known)
      this.#entries.push(...fresh)
      this.#known = Math.max(this.#known, ...fresh.map(({ epochs_done: done }) => done))
      this.#show(audit)
    } catch (error) {
      if (!isAbort(error)) this.#list.replaceChildren(problem(error.message, () => this.#lazy.now()))
    }
  }

  #show(audit) {
    const failed = this.#entries.filter(({ verdict }) => verdict === "failed").reverse()
    const parts = [this.#entries.length ? summary(this.#entries, failed, audit) : h("p", { class: "muted" }, "Nothing was audited yet.")]
    if (failed.length) parts.push(h("ul", {}, failed.slice(0, MOST).map((entry) => line(entry, audit))))
    if (failed.length > MOST) parts.push(h("p", { class: "muted" }, `${plural(failed.length - MOST, "earlier failure")} more; the audit's table has them all.`))
    this.#list.replaceChildren(...parts)
  }
}

function summary(entries, failed, { tape_limit: tape, difference_limit: difference }) {
  const audits = new Set(entries.map(({ epochs_done: done }) => done)).size
  const silent = entries.filter(({ verdict }) => verdict === "no signal").length
  const limits = `An error above ${tape.toExponential()} against automatic differentiation, or above ${difference.toExponential()} against a central difference, fails.`
  const quiet = silent ? ` ${plural(silent, "check")} had no signal: the gradient was zero.` : ""
  if (failed.length) return h("p", { class: "muted" }, `${failed.length} of ${plural(entries.length, "check")} failed, in ${plural(audits, "audit")}.${quiet} ${limits}`)
  const word = silent === entries.length ? "No check could be made." : `No check has failed: ${entries.length - silent} passed in ${plural(audits, "audit")}.`
  return h("div", {}, h("p", { class: "state", "data-tone": "good" }, icon("tick"), h("span", {}, word)), h("p", { class: "muted" }, `${quiet} ${limits}`.trim()))
}

function line({ epochs_done: done, sentence, expected }, { expected_quirks: quirks }) {
  const when = done ? `after ${plural(done, "epoch")}` : "before training"
  const why = expected ? h("span", { class: "muted" }, ` Expected: quirk ${quirks.join(", ")}.`) : null
  return h("li", { "data-expected": expected || null }, icon(expected ? "warning" : "cross"), h("span", {}, h("span", { class: "muted" }, `${when}: `), sentence, why))
}
