// Names for what Material leaves nameless, so that a screen reader can say what it is.
document$.subscribe(() => {
  const set = (selector, attributes) => document.querySelectorAll(selector).forEach(element => {
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value)
  })
  set('[data-md-component="search"]', { "aria-label": "Search" })
})
