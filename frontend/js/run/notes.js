import { api } from "../core/api.js"
import { h, setText } from "../core/dom.js"
import { toastError } from "../ui/toast.js"
import { card } from "./facts.js"

/** What a person has to say of the run: saved when the field is left, or by Ctrl and Enter. */
export function notesCard(run) {
  let saved = run.notes
  const said = h("p", { class: "muted small notes-said", role: "status" })
  const field = h("textarea", { class: "input notes", rows: 3, maxlength: 10_000, "aria-label": "Notes", placeholder: "What this run is for, what came of it" })
  field.value = saved
  const save = async () => {
    if (field.value === saved) return
    try {
      saved = (await api.change(run.id, { notes: field.value })).notes
      setText(said, "Saved.")
    } catch (error) {
      setText(said, "Not saved.")
      toastError(error)
    }
  }
  field.addEventListener("input", () => setText(said, field.value === saved ? "" : "Not saved yet."))
  field.addEventListener("blur", save)
  field.addEventListener("keydown", (event) => event.key === "Enter" && (event.ctrlKey || event.metaKey) && save())
  return card("Notes", "notes", field, said)
}
