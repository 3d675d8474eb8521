import { api } from "../core/api.js"
import { h, setText } from "../core/dom.js"
import { plural } from "../core/format.js"
import { goInstead, leavePanel } from "../core/router.js"
import { store } from "../core/store.js"
import { dialog } from "../ui/dialog.js"
import { problem } from "../ui/problem.js"
import { toast } from "../ui/toast.js"
import { codeLines } from "./code.js"
import { estimateText } from "./estimate.js"
import { LaunchForm } from "./form.js"
import { Original } from "./original.js"
import { presetCards } from "./presets.js"

/** The panel in which runs are launched; `cloneId` names the run whose configuration it starts from. */
export function openLaunch(cloneId) {
  const body = h("div", { class: "launch-body" }, h("div", { class: "skeleton launch-skeleton" }))
  const panel = dialog(cloneId ? `Launch, from run ${cloneId}` : "Launch", "dialog-panel", body)
  panel.dataset.testid = "launch-panel"
  panel.addEventListener("close", leavePanel)
  panel.showModal()
  fill(panel, body, cloneId)
  return { close: () => panel.close() }
}

async function fill(panel, body, cloneId) {
  try {
    const [schema, presets, datasets, original] = await Promise.all([api.schema(), api.presets(), api.datasets(), cloneId ? api.run(cloneId) : null])
    const form = new LaunchForm(schema, datasets)
    const cards = presetCards(presets, (preset) => form.write({ config: preset.config, pair: preset.pair }))
    const parts = new LaunchParts(panel, form)
    const marks = original ? new Original(original) : null
    body.replaceChildren(...(marks ? [marks.element] : []), cards.element, form.element)
    body.append(parts.code)
    panel.append(parts.foot)
    form.onChange(() => {
      parts.update()
      cards.mark(form.read())
    })
    if (original) {
      cards.element.querySelectorAll("details").forEach((group) => (group.open = false))
      form.write({ config: original.config, pair: false, name: `copy of ${original.name}`.slice(0, 200), tags: original.tags })
      form.compareWith({ id: original.id, marks })
    }
    if (!original && presets[0]) form.write({ config: presets[0].config, pair: presets[0].pair })
    const first = original ? form.element.querySelector("input, select") : cards.element.querySelector("button")
    first?.focus()
  } catch (error) {
    body.replaceChildren(problem(error.message, () => fill(panel, body, cloneId)))
  }
}

/** What stands around the form: the lines to copy, how many runs it makes, what was wrong, the button. */
class LaunchParts {
  #form
  #panel
  #key = ""
  #sent = ""
  #lines = codeLines()
  #estimate = estimateText()
  #total = h("p", { class: "launch-total", "data-testid": "launch-total" })
  #error = h("div", { class: "launch-error" })
  #button = h("button", { type: "button", class: "button button-main" }, "Launch")

  constructor(panel, form) {
    this.#panel = panel
    this.#form = form
    this.code = this.#lines.element
    this.foot = h("footer", { class: "launch-foot" }, this.#error, h("div", { class: "launch-foot-row" }, h("div", { class: "launch-sum" }, this.#total, this.#estimate.element), this.#button))
    this.#button.addEventListener("click", () => this.#launch())
    form.element.addEventListener("submit", (event) => (event.preventDefault(), this.#launch()))
  }

  update() {
    const order = this.#form.order()
    this.#lines.show(order)
    this.#estimate.show(order)
    setText(this.#total, this.#form.totalText())
  }

  async #launch() {
    const order = this.#form.order()
    // Another order needs another key; the same one, sent again after a lost answer, makes no second runs.
    if (JSON.stringify(order) !== this.#sent) this.#key = randomKey()
    this.#sent = JSON.stringify(order)
    this.#button.disabled = true
    this.#error.replaceChildren()
    this.#form.clearErrors()
    try {
      const { runs } = await api.launch(order, this.#key)
      store.put(runs)
      this.#panel.close()
      goInstead(runs.length === 1 ? `/runs/${runs[0].id}` : "/")
      toast(`${plural(runs.length, "run")} launched.`)
    } catch (error) {
      const fields = error.fields ?? []
      const rest = this.#form.showErrors(fields)
      const isBeside = fields.length > 0 && rest.length === 0
      this.#error.replaceChildren(problem(isBeside ? "Nothing was launched: mend what is marked red above." : error.message))
    } finally {
      this.#button.disabled = false
    }
  }
}

function randomKey() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("")
}
