import { h } from "../core/dom.js"
import { icon } from "./icons.js"

const LOOKS = {
  passed: ["tick", "good", "gradients checked", "Every audit of this run's gradients has passed."],
  expected: ["warning", "warn", "audit fails as expected", "A quirk of this run makes its gradients another than the cost's; the audit says so."],
  failed: ["cross", "bad", "gradient audit failed", "A hand-written gradient is not the one that it should be: see Gradients."],
}

/** What came of a run's gradient audits, as icon, word and colour; `update` shows another verdict, or none. */
export function verdictMark(verdict) {
  const element = h("span", { class: "state", "data-testid": "audit-verdict" })
  const update = (next) => {
    if (element.dataset.verdict === String(next)) return
    element.dataset.verdict = next
    element.hidden = !LOOKS[next]
    if (element.hidden) return
    const [name, tone, word, meaning] = LOOKS[next]
    element.dataset.tone = tone
    element.title = meaning
    element.replaceChildren(icon(name), h("span", {}, word))
  }
  update(verdict)
  return { element, update }
}

/** A small sign for a list of runs: only a failed audit is worth one there. */
export function failedAuditMark() {
  return h("span", { class: "state audit-failed", "data-tone": "bad", title: LOOKS.failed[3], hidden: true }, icon("cross", 14), h("span", {}, "audit", h("span", { class: "audit-word" }, " failed")))
}
