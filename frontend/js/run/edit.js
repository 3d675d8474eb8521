import { h, setText } from "../core/dom.js"
import { icon } from "../ui/icons.js"
import { toastError } from "../ui/toast.js"

/**
 * Text that is edited where it stands: a press opens a field; Enter or leaving it saves, Escape does not.
 * `tag` is the name of the element that holds it, or that element. `save` gets the new text; what it throws is shown and the field stays open.
 */
export function editableText(text, tag, label, maxlength, save, empty = "") {
  let shown = text
  const words = tag instanceof Element ? tag : h(tag, { class: "editable-text", dir: "auto" }, text || empty)
  const open = h("button", { type: "button", class: "editable", "aria-label": `Change: ${label}`, title: `Change: ${label}` }, icon("pencil"))
  const input = h("input", { class: "input editable-input", "aria-label": label, maxlength, hidden: true })
  const element = h("span", { class: "editable-frame" }, words, open, input)
  words.classList.toggle("muted", !text)

  const close = () => {
    input.hidden = true
    words.hidden = open.hidden = false
  }
  const finish = async () => {
    if (input.hidden) return
    const next = input.value.trim()
    if (next === shown) return close()
    try {
      await save(next)
      close()
    } catch (error) {
      input.setAttribute("aria-invalid", "true")
      toastError(error)
    }
  }
  const begin = () => {
    input.value = shown
    input.removeAttribute("aria-invalid")
    input.hidden = false
    words.hidden = open.hidden = true
    input.select()
  }
  open.addEventListener("click", begin)
  words.addEventListener("dblclick", begin)
  input.addEventListener("blur", finish)
  input.addEventListener("keydown", (event) => {
    if (event.key === "Enter") finish()
    if (event.key === "Escape") {
      close()
      open.focus()
    }
  })
  return {
    element,
    show(next) {
      shown = next
      setText(words, next || empty)
      words.classList.toggle("muted", !next)
    },
  }
}
