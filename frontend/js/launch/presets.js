import { h, setAttribute } from "../core/dom.js"
import { isEqual } from "../core/equal.js"
import { about } from "../core/format.js"

/** A card a preset; the one that the form shows unchanged is marked. */
export function presetCards(presets, choose) {
  const cards = presets.map((preset) => {
    const { config } = preset
    const facts = [config.dataset, `width ${config.width}`, `${config.epochs} epoch${config.epochs === 1 ? "" : "s"}`, preset.pair ? "manual and dilated" : config.backprop].join(" · ")
    const button = h("button", { type: "button", class: "preset", "aria-pressed": "false", "data-testid": `preset-${preset.name}`, onclick: () => choose(preset) }, h("strong", {}, preset.title), h("span", { class: "muted" }, preset.description), h("span", { class: "muted small" }, facts), h("span", { class: "small preset-time" }, timeText(preset)))
    return { preset, button }
  })
  const groups = [...new Set(presets.map(({ group }) => group))]
  const sections = groups.map((group, place) => {
    const grid = h("div", { class: "presets", role: "group", "aria-label": group }, cards.filter(({ preset }) => preset.group === group).map(({ button }) => button))
    return h("details", { class: "preset-group", open: place === 0 }, h("summary", {}, group), grid)
  })
  const element = h("div", { class: "preset-groups", role: "group", "aria-label": "Presets" }, sections)
  const mark = ({ config, pair }) => {
    for (const { preset, button } of cards) setAttribute(button, "aria-pressed", String(isSame(preset, config, pair)))
  }
  return { element, mark }
}

function timeText({ runs, total_seconds }) {
  const time = total_seconds === null ? "time here: not measured yet" : `${about(total_seconds)} here`
  return runs > 1 ? `${runs} runs, ${time}` : time
}

function isSame(preset, config, pair) {
  if (preset.pair !== pair) return false
  return Object.entries(preset.config).every(([name, value]) => isEqual(config[name], value) || (name === "backprop" && pair))
}
