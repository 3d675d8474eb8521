import { h } from "../core/dom.js"

const MIDDLE = 128 // grey: the adversarial step does not move this pixel
const SWING = 127 // levels that one full step is shown as

/** A canvas of `size` px on which an image stands in square pixels, none blurred. */
export function pixelCanvas(label, size = 96) {
  return h("canvas", { class: "pixels", role: "img", "aria-label": label, width: 1, height: 1, vars: { "--pixels": `${size}px` } })
}

/** Draws base64 of uint8 [height, width, channels], with one channel (grey) or three. */
export function drawImage(canvas, { height, width, channels }, text) {
  draw(canvas, height, width, channels, bytesOf(text))
}

/** Draws base64 of int8 signs: grey where nothing moves, bright where a pixel grows, dark where it shrinks. */
export function drawSigns(canvas, { height, width, channels }, text) {
  const signs = new Int8Array(bytesOf(text).buffer)
  draw(canvas, height, width, channels, Uint8ClampedArray.from(signs, (sign) => MIDDLE + SWING * sign))
}

/** How many times larger than it is a step of so many pixel values is shown. */
export function amplification(pixelValues) {
  return pixelValues ? SWING / pixelValues : null
}

function draw(canvas, height, width, channels, levels) {
  const image = new ImageData(width, height)
  for (let place = 0; place < height * width; place += 1) {
    for (let channel = 0; channel < 3; channel += 1) image.data[4 * place + channel] = levels[channels * place + (channels === 1 ? 0 : channel)]
    image.data[4 * place + 3] = 255
  }
  Object.assign(canvas, { width, height })
  canvas.getContext("2d").putImageData(image, 0, 0)
}

function bytesOf(text) {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0))
}
