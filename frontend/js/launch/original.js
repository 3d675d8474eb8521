import { h, setAttribute, setText } from "../core/dom.js"
import { isEqual } from "../core/equal.js"
import { configValue, words } from "../core/format.js"

/** What of the form differs from the run that it was filled from: marked beside each field, and listed in one line. */
export class Original {
  element = h("div", { class: "changes", role: "status", "data-testid": "changes" })

  #run
  #marks = new Map()

  constructor(run) {
    this.#run = run
  }

  /** Marks the fields whose value is another; `undo(name)` writes the run's own value back. */
  show(fields, config, undo) {
    const changed = []
    for (const [name, element] of fields) {
      const before = this.#run.config[name]
      const differs = !isEqual(config[name], before)
      setAttribute(element, "data-changed", differs)
      if (differs) changed.push([name, before, config[name]])
      this.#mark(name, element, differs ? before : undefined, undo)
    }
    const list = changed.map(([name, before, now]) => h("li", {}, h("strong", {}, words(name)), ` ${configValue(before, name)} → ${configValue(now, name)}`))
    const title = changed.length === 0 ? `As run ${this.#run.id}; nothing is changed yet.` : `Changed from run ${this.#run.id}:`
    this.element.replaceChildren(h("p", { class: "muted" }, title), h("ul", { class: "change-list" }, list))
  }

  #mark(name, element, before, undo) {
    let mark = this.#marks.get(name)
    if (!mark) {
      if (before === undefined) return
      const text = h("span", {})
      const back = h("button", { type: "button", class: "link-button", "aria-label": `${words(name)}: back to what it was`, onclick: () => undo(name, this.#run.config[name]) }, "undo")
      mark = { text, element: h("p", { class: "field-was small" }, text, " ", back) }
      this.#marks.set(name, mark)
      element.querySelector(".field-help").before(mark.element)
    }
    mark.element.hidden = before === undefined
    if (before !== undefined) setText(mark.text, `was ${configValue(before, name)}`)
  }
}
