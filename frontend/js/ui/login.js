import { api } from "../core/api.js"
import { h, setText } from "../core/dom.js"

/** Whether this service has asked for a token: then the lines to copy show where it goes. */
export function needsToken() {
  return localStorage.getItem("lab-needs-token") === "yes"
}

/** Shows the one-field form in place of the page. */
export function askForToken() {
  if (document.getElementById("token")) return
  localStorage.setItem("lab-needs-token", "yes")
  const input = h("input", { id: "token", class: "input", type: "password", name: "token", autocomplete: "current-password", required: true, "aria-describedby": "token-error" })
  const error = h("p", { id: "token-error", class: "field-error", role: "alert" })
  const form = h(
    "form",
    { class: "card login", "data-testid": "login" },
    h("h1", {}, "Log in"),
    h("p", { class: "muted" }, "This service asks for its token: the value of LAB_TOKEN where it was started."),
    h("label", { for: "token" }, "Token"),
    input,
    error,
    h("button", { class: "button button-main" }, "Log in"),
  )
  form.addEventListener("submit", async (event) => {
    event.preventDefault()
    try {
      await api.logIn(input.value)
      location.reload()
    } catch (problem) {
      setText(error, problem.message)
      input.setAttribute("aria-invalid", "true")
      input.select()
    }
  })
  document.getElementById("main").replaceChildren(form)
  document.getElementById("header").dataset.locked = "yes"
  document.title = "Log in · Backprop Lab"
  input.focus()
}
