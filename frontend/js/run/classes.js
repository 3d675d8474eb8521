const NAMES = {
  cifar10: ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"],
  fashion_mnist: ["T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot"],
}

/** What a class of a data set is called; digits are their own names. */
export function className(dataset, label) {
  return NAMES[dataset]?.[label] ?? String(label)
}
