import { h, setText } from "../core/dom.js"
import { glyph } from "../ui/glyph.js"

// The first colours of each kind: what a run gets is decided when it is made.
const STYLES = { manual: { color: "#0072B2", dark_color: "#2B89CB", marker: "circle" }, dilated: { color: "#D55E00", dark_color: "#D76004", marker: "diamond" } }
const BOTH = "both"

/** Manual, dilated, or both side by side. */
export function methodChoice(schema, defs, changed) {
  const options = [...defs[schema.$ref.split("/").at(-1)].enum, BOTH]
  const radios = options.map((value) => h("input", { type: "radio", name: "backprop", value, onchange: changed }))
  const segments = options.map((value, place) => h("label", {}, radios[place], signs(value), value === BOTH ? "both, side by side" : value))
  const error = h("p", { class: "field-error", role: "alert" })
  const legend = h("legend", { class: "field-label" }, "backprop")
  const element = h("fieldset", { class: "field method", "data-field": "backprop" }, legend, h("div", { class: "segments" }, segments), h("p", { class: "field-help" }, schema.description ?? ""), error)
  const chosen = () => radios.find(({ checked }) => checked)?.value ?? options[0]
  return {
    element,
    input: radios[0],
    default: schema.default,
    read: () => ({ backprop: chosen() === BOTH ? schema.default : chosen(), pair: chosen() === BOTH }),
    write(backprop, pair) {
      for (const radio of radios) radio.checked = radio.value === (pair ? BOTH : backprop)
    },
    complain: (message) => setText(error, message),
  }
}

function signs(value) {
  const kinds = value === BOTH ? ["manual", "dilated"] : [value]
  return kinds.filter((kind) => STYLES[kind]).map((kind) => glyph({ style: STYLES[kind] }))
}
