import { h } from "../core/dom.js"
import { duration } from "../core/format.js"

/** The sentence over paired seeds, and what stands behind it. */
export class VerdictCard {
  element = h("section", { class: "card verdict", "aria-label": "Verdict", "data-testid": "verdict" })

  #choose

  /** `choose` hears which groups are to be held against each other. */
  constructor(choose) {
    this.#choose = choose
  }

  show({ verdict, groups }) {
    this.element.hidden = groups.length < 2
    if (verdict === null) return this.element.replaceChildren()
    const { at_epoch, effect, effect_hedges, pairs, left_out, to_target } = verdict
    const facts = []
    if (effect !== null) facts.push(`Effect: Cohen's d ${number(effect)}${effect_hedges === null ? "" : `, corrected for few pairs (Hedges) ${number(effect_hedges)}`}.`)
    if (at_epoch.n > 1) facts.push("Differences are taken between runs of one seed; each interval holds for its epoch alone.")
    if (left_out.length) facts.push(`Left out, without a partner or a second copy: run ${left_out.slice(0, 8).join(", ")}${left_out.length > 8 ? ` and ${left_out.length - 8} more` : ""}.`)
    if (to_target) facts.push(targetSentence(verdict, to_target))
    const sides = [this.#side("of", groups, verdict.other_key, (key) => this.#choose({ against: key })), this.#side("against", groups, verdict.baseline_key, (key) => this.#choose({ baseline: key, ...(key === verdict.other_key ? { against: verdict.baseline_key } : {}) }))]
    const head = h("div", { class: "card-head" }, h("h2", {}, "Verdict"), h("span", { class: "header-space" }), h("div", { class: "verdict-sides" }, sides))
    const mark = pairs.length ? "" : "muted"
    // A select that is in use stays: what changes around it must not close it.
    if (this.element.contains(document.activeElement) && document.activeElement.tagName === "SELECT" && this.element.querySelector(".verdict-sentence")) {
      this.element.querySelector(".verdict-sentence").textContent = verdict.sentence
      return
    }
    this.element.replaceChildren(head, h("div", { class: "card-body" }, h("p", { class: `verdict-sentence ${mark}` }, verdict.sentence), facts.map((text) => h("p", { class: "muted small" }, text))))
  }

  #side(label, groups, key, choose) {
    const select = h("select", { class: "select", "aria-label": label === "of" ? "Group" : "Baseline" }, groups.map((group) => h("option", { value: group.key }, group.label.slice(0, 60))))
    select.value = key
    select.addEventListener("change", () => (select.blur(), choose(select.value)))
    return h("span", { class: "verdict-side" }, h("span", { class: "muted small" }, label), select)
  }
}

function number(value) {
  return value.toFixed(2).replace("-", "−")
}

function targetSentence({ baseline, other, metric }, { target, pairs, reached, median_epochs, median_seconds, epochs }) {
  const goal = metric.endsWith("accuracy") ? `${+(100 * target).toFixed(4)} %` : `${target} nats`
  const side = (name, place) => `${name} ${reached[place]} of ${pairs}${reached[place] ? `, after ${+median_epochs[place].toFixed(1)} epochs or ${duration(median_seconds[place])} (medians)` : ""}`
  const ahead = epochs && epochs.low !== null ? ` Difference over pairs that both reached it: ${epochs.mean.toFixed(1)} epochs, 95 % interval ${epochs.low.toFixed(1)} to ${epochs.high.toFixed(1)}, n = ${epochs.n}.` : ""
  return `Reached ${goal}: ${side(other, 1)}; ${side(baseline, 0)}.${ahead}`
}
