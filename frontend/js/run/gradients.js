import { FigureCard } from "../chart/figure.js"
import { h } from "../core/dom.js"
import { verdictMark } from "../ui/verdict.js"
import { AuditFindings } from "./findings.js"
import { notAsked, section } from "./section.js"

const LEAD =
  "Every layer's hand-written gradient is held against automatic differentiation and against a central difference, in float64, on images that stay the same. The verdict rests on these two; all other numbers are information."
const DEVIATION = [
  ["error", "error"],
  ["cosine", "cosine"],
  ["norm_ratio", "norms"],
]
const WAITING = "The first audit is made before training begins."

/** The gradient audit of a run, how far a dilated run is from the true gradient, and each layer's numbers. */
export class GradientsSection {
  element

  #cards = []
  #findings = null
  #mark

  constructor(run, signal) {
    this.#mark = verdictMark(run.audit)
    if (run.config.audit_every === 0) {
      this.element = section("gradients", "Gradients", LEAD, notAsked(run, "audit_every", "the gradients of this run are not audited."))
      return
    }
    const isDilated = run.config.backprop === "dilated"
    const query = () => ({ run: run.id })
    const card = (name, title, options) => {
      const made = new FigureCard(name, title, signal, { query, nothing: WAITING, ...options })
      this.#cards.push(made)
      return made.element
    }
    this.#findings = new AuditFindings(run, signal)
    const grid = card("audit", "Audit", { look: "chart-grid" })
    const deviation = isDilated && card("deviation", "Dilated against true", { look: "chart-grid", choice: { key: "measure", label: "Measure", options: DEVIATION, chosen: "error" } })
    const layers = h("div", { class: "chart-row" }, this.#layerCards(run, card))
    const top = h("div", { class: "chart-pair" }, grid, deviation || this.#findings.element)
    this.element = section("gradients", "Gradients", LEAD, top, isDilated && this.#findings.element, layers)
    this.element.querySelector("h2").after(this.#mark.element)
  }

  update(run) {
    this.#mark.update(run.audit)
  }

  /** There are new measurements. */
  renew() {
    for (const card of this.#cards) card.renew()
    this.#findings?.renew()
  }

  #layerCards(run, card) {
    const small = (title, nothing, choice, measure) => card("layers", title, { look: "chart-small", nothing, choice, query: () => ({ run: run.id, measure }) })
    const norms = { key: "measure", label: "Norm of", options: [["gradient_norm", "gradient"], ["weight_norm", "weights"]], chosen: "gradient_norm" }
    const own = { key: "measure", label: "Measure", options: [["own_error", "error"], ["own_cosine", "angle"], ["own_norm_ratio", "norms"]], chosen: "own_error" }
    const noVmax = run.config.optimizer === "adam" ? "Adam keeps no vmax." : WAITING
    return [
      small("Norms", WAITING, norms),
      small("Update over weights", WAITING, null, "update_ratio"),
      small("Where vmax holds", noVmax, null, "vmax_active"),
      small(`In ${run.config.precision}`, WAITING, own),
    ]
  }
}
