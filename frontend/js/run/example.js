import { h, setAttribute, setText } from "../core/dom.js"
import { percent } from "../core/format.js"
import { icon } from "../ui/icons.js"
import { className } from "./classes.js"
import { drawImage, drawSigns, pixelCanvas } from "./pixels.js"

const TOP = 3 // predictions shown

/** One followed test image: as it is, the step against it, the two together, and what the network says before and after. */
export class ExampleCard {
  element

  #dataset
  #example
  #signs
  #adversarial
  #before
  #after

  constructor(dataset, example, stepWords) {
    this.#dataset = dataset
    this.#example = example
    const name = className(dataset, example.label)
    const image = pixelCanvas(`Test image ${example.test_index}: ${name}`)
    this.#signs = pixelCanvas(`The step against it, ${stepWords}`)
    this.#adversarial = pixelCanvas("The adversarial image")
    drawImage(image, example, example.image)
    this.#before = predictions("before, %", example.label)
    this.#after = predictions("after, %", example.label)
    this.element = h(
      "article",
      { class: "card example", "data-example": example.test_index },
      h("h3", {}, `class ${name}`, h("span", { class: "muted small" }, `, test image ${example.test_index}`)),
      h("div", { class: "example-images" }, picture(image, "image"), picture(this.#signs, stepWords), picture(this.#adversarial, "adversarial")),
      h("div", { class: "example-answers" }, this.#before.element, this.#after.element),
    )
  }

  /** Shows what the step made of the image after another epoch. */
  show({ adversarial, sign, before, after }) {
    drawSigns(this.#signs, this.#example, sign)
    drawImage(this.#adversarial, this.#example, adversarial)
    this.#before.show(before, this.#dataset)
    this.#after.show(after, this.#dataset)
  }
}

function picture(canvas, words) {
  return h("figure", {}, canvas, h("figcaption", { class: "muted small" }, words))
}

/** The likeliest classes as small bars; the true one is marked wherever it stands. */
function predictions(title, label) {
  const rows = Array.from({ length: TOP }, () => {
    const [mark, name, bar, value] = [h("span", { class: "answer-mark" }), h("span", { class: "cut" }, "–"), h("i", {}), h("span", { class: "number" })]
    return { mark, name, bar, value, element: h("li", {}, mark, name, h("span", { class: "answer-bar" }, bar), value) }
  })
  const verdict = h("span", { class: "state small" })
  const element = h("div", { class: "answers" }, h("p", {}, h("span", { class: "muted small" }, title), verdict), h("ol", {}, rows.map((row) => row.element)))
  const show = (probabilities, dataset) => {
    const order = probabilities.map((_, place) => place).sort((one, other) => (probabilities[other] ?? -1) - (probabilities[one] ?? -1))
    const isRight = order[0] === label
    verdict.dataset.tone = isRight ? "good" : "bad"
    verdict.replaceChildren(icon(isRight ? "tick" : "cross", 14), h("span", {}, isRight ? "right" : "wrong"))
    rows.forEach(({ mark, name, bar, value, element: row }, rank) => {
      const place = order[rank]
      const isTrue = place === label
      setText(name, className(dataset, place))
      setText(value, percent(probabilities[place], 1))
      bar.style.transform = `scaleX(${probabilities[place] ?? 0})`
      setAttribute(row, "data-true", isTrue)
      mark.replaceChildren(...(isTrue ? [icon("right", 14), h("span", { class: "unseen" }, "true class")] : []))
    })
  }
  return { element, show }
}
