import { h, setText } from "../core/dom.js"
import { icon } from "../ui/icons.js"
import { needsToken } from "../ui/login.js"

/** The same launch as lines for a terminal and for Python, each with a button that copies it. */
export function codeLines() {
  const blocks = [block("curl", curl), block("Python", python)]
  const element = h("details", { class: "code", "data-testid": "code" }, h("summary", {}, "The same from a terminal or a script"), blocks.map((each) => each.element))
  return { element, show: (order) => blocks.forEach((each) => each.show(order)) }
}

/** A line for a POSIX shell. */
export function curl(order) {
  const lines = [`curl ${quoted(address())}`, "-H 'Content-Type: application/json'"]
  if (needsToken()) lines.push('-H "Authorization: Bearer $LAB_TOKEN"')
  lines.push(`-d ${quoted(JSON.stringify(order))}`)
  return lines.join(" \\\n  ")
}

/** Lines for Python, without a package beyond its own. */
export function python(order) {
  const token = needsToken() ? ', "Authorization": "Bearer " + os.environ["LAB_TOKEN"]' : ""
  return [
    `import json${token ? ", os" : ""}, urllib.request`,
    "",
    `order = ${literal(order)}`,
    "request = urllib.request.Request(",
    `    ${literal(address())},`,
    "    data=json.dumps(order).encode(),",
    `    headers={"Content-Type": "application/json"${token}},`,
    ")",
    "with urllib.request.urlopen(request) as answer:",
    '    print([run["id"] for run in json.load(answer)["runs"]])',
  ].join("\n")
}

function block(name, write) {
  const text = h("pre", { class: "code-text", tabindex: 0, "aria-label": name, "data-testid": `code-${name.toLowerCase()}` })
  const copy = h("button", { type: "button", class: "button button-small" }, icon("copy"), "Copy")
  copy.addEventListener("click", async () => {
    setText(copy.lastChild, (await copied(text)) ? "Copied" : "Selected: press Ctrl+C")
    setTimeout(() => setText(copy.lastChild, "Copy"), 2000)
  })
  const element = h("figure", { class: "code-block" }, h("figcaption", {}, name, copy), text)
  return { element, show: (order) => setText(text, write(order)) }
}

// Over plain HTTP beyond this machine a page has no clipboard: then the text is selected for the reader's own copy.
async function copied(element) {
  try {
    await navigator.clipboard.writeText(element.textContent)
    return true
  } catch {
    getSelection().selectAllChildren(element)
    return false
  }
}

function address() {
  return `${location.origin}/api/runs`
}

function quoted(text) {
  return `'${text.replaceAll("'", `'\\''`)}'`
}

// A JSON string is a Python string too.
function literal(value) {
  if (value === null) return "None"
  if (value === true) return "True"
  if (value === false) return "False"
  if (Array.isArray(value)) return `[${value.map(literal).join(", ")}]`
  if (typeof value === "object") return `{${Object.entries(value).map(([key, item]) => `${JSON.stringify(key)}: ${literal(item)}`).join(", ")}}`
  return JSON.stringify(value)
}
