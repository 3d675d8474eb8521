import { h, setAttribute, setText } from "../core/dom.js"
import { words } from "../core/format.js"

const BOOLEAN_WORDS = { true: "yes", false: "no", "": "–" }

/** A field of the form, made from its place in the schema: its kind, its limits, its description. */
export function makeField(name, schema, defs, optionWord = (option) => option) {
  const id = `field-${name}`
  const own = resolve(schema, defs)
  const item = own.type === "array" && own.items ? resolve(own.items, defs) : null
  if (item?.enum) return listField(name, schema, item)
  const error = h("p", { class: "field-error", id: `${id}-error`, role: "alert" })
  const help = h("p", { class: "field-help", id: `${id}-help` }, schema.description ?? "")
  const described = { id, name, "aria-describedby": `${id}-help ${id}-error` }
  const options = own.type === "boolean" ? ["false", "true"] : own.enum && [...(own.nullable ? [""] : []), ...own.enum]
  const input = options
    ? h("select", { class: "select", ...described }, options.map((option) => h("option", { value: option }, BOOLEAN_WORDS[option] ?? optionWord(option))))
    : h("input", { class: "input", ...described, inputmode: isNumber(own) ? "decimal" : "text", autocomplete: "off", spellcheck: "false", placeholder: own.nullable && isNumber(own) ? "all" : null, maxlength: own.maxLength })
  const label = h("label", { for: id, class: "field-label" }, h("span", {}, words(name)), h("span", { class: "muted small" }, limitsText(own)))
  const element = h("div", { class: "field", "data-field": name }, label, input, help, error)
  return {
    name,
    element,
    input,
    help,
    onlyIf: schema.only_if ?? null,
    isFolded: schema.folded === true,
    default: schema.default,
    read: () => (item && isNumber(item) ? readList(input.value, item) : readValue(input.value, own)),
    parse: (text) => readValue(text, own),
    write: (value) => (input.value = value === null || value === undefined ? "" : Array.isArray(value) ? value.join(", ") : String(value)),
    complain(message) {
      setText(error, message)
      setAttribute(input, "aria-invalid", message ? "true" : null)
    },
  }
}

/** Several of a few words, each with a box to tick. */
function listField(name, schema, item) {
  const id = `field-${name}`
  const error = h("p", { class: "field-error", id: `${id}-error`, role: "alert" })
  const help = h("p", { class: "field-help", id: `${id}-help` }, schema.description ?? "")
  const boxes = item.enum.map((value) => h("input", { type: "checkbox", class: "check", value }))
  const ticks = item.enum.map((value, place) => h("label", { class: "tick" }, boxes[place], words(value)))
  const element = h("fieldset", { class: "field field-list", "data-field": name, "aria-describedby": `${id}-help ${id}-error` }, h("legend", { class: "field-label" }, words(name)), h("div", { class: "ticks" }, ticks), help, error)
  return {
    name,
    element,
    input: boxes[0],
    help,
    onlyIf: schema.only_if ?? null,
    isFolded: schema.folded === true,
    default: schema.default ?? [],
    read: () => boxes.filter(({ checked }) => checked).map(({ value }) => value),
    write(values) {
      for (const box of boxes) box.checked = (values ?? []).includes(box.value)
    },
    complain(message) {
      setText(error, message)
      setAttribute(boxes[0], "aria-invalid", message ? "true" : null)
    },
  }
}

/** What a schema says of one value, whether it stands there, behind a reference, or beside "or null". */
function resolve(schema, defs) {
  if (schema.$ref) return resolve(defs[schema.$ref.split("/").at(-1)], defs)
  const options = schema.anyOf?.filter(({ type }) => type !== "null")
  if (options) return { ...resolve(options[0], defs), nullable: options.length < schema.anyOf.length }
  return schema
}

function isNumber({ type }) {
  return type === "integer" || type === "number"
}

// What is no number goes to the service as it was typed: its words say what is wrong, here and for scripts alike.
function readValue(text, own) {
  const trimmed = text.trim()
  if (trimmed === "") return own.nullable ? null : ""
  if (own.type === "boolean") return { true: true, yes: true, false: false, no: false }[trimmed.toLowerCase()] ?? trimmed
  if (own.nullable && isNumber(own) && trimmed === "all") return null
  if (!isNumber(own)) return trimmed
  const number = Number(trimmed.replace(",", "."))
  return Number.isFinite(number) ? number : trimmed
}

function readList(text, item) {
  return text.split(",").map((part) => part.trim()).filter(Boolean).map((part) => readValue(part, item))
}

function limitsText({ minimum, maximum, exclusiveMinimum, exclusiveMaximum }) {
  const low = minimum ?? (exclusiveMinimum === undefined ? undefined : `above ${exclusiveMinimum}`)
  const high = maximum ?? (exclusiveMaximum === undefined ? undefined : `below ${exclusiveMaximum}`)
  if (low === undefined || high === undefined) return ""
  return `${short(low)} to ${short(high)}`
}

function short(limit) {
  if (typeof limit !== "number" || limit < 1e5) return limit
  return limit === 2 ** 31 - 1 ? "2³¹ − 1" : limit.toLocaleString("en")
}
