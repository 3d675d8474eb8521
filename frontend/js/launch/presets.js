import { h, setAttribute } from "../core/dom.js"

/** A card a preset; the one that the form shows unchanged is marked. */
export function presetCards(presets, choose) {
  const cards = presets.map((preset) => {
    const { config } = preset
    const facts = [config.dataset, `width ${config.width}`, `${config.epochs} epoch${config.epochs === 1 ? "" : "s"}`, preset.pair ? "manual and dilated" : config.backprop].join(" · ")
    const button = h("button", { type: "button", class: "preset", "aria-pressed": "false", "data-testid": `preset-${preset.name}`, onclick: () => choose(preset) }, h("strong", {}, preset.title), h("span", { class: "muted" }, preset.description), h("span", { class: "muted small" }, facts))
    return { preset, button }
  })
  const element = h("div", { class: "presets", role: "group", "aria-label": "Presets" }, cards.map(({ button }) => button))
  const mark = ({ config, pair }) => {
    for (const { preset, button } of cards) setAttribute(button, "aria-pressed", String(isSame(preset, config, pair)))
  }
  return { element, mark }
}

function isSame(preset, config, pair) {
  if (preset.pair !== pair) return false
  return Object.entries(preset.config).every(([name, value]) => config[name] === value || (name === "backprop" && pair))
}
