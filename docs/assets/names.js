// Names for what Material leaves nameless, so that a screen reader can say what it is.
(() => {
  const set = (selector, name, value) => document.querySelectorAll(selector).forEach(element => {
    if (!element.hasAttribute(name)) element.setAttribute(name, value)
  })
  const all = () => {
    set('[data-md-component="search"]', "aria-label", "Search")
    // Each code block has a `nav` of its own for its button: many landmarks of no name.
    set(".md-code__nav", "role", "presentation")
    // The box in which a wide table scrolls: by keyboard too.
    set(".md-typeset__scrollwrap", "tabindex", "0")
    set(".md-typeset__scrollwrap", "role", "group")
    set(".md-typeset__scrollwrap", "aria-label", "Table")
    set(".md-code__button:not([aria-label])", "aria-label", "Copy to clipboard")
    // The name of a section that has a page of its own stands in the link to that, and its label is empty.
    document.querySelectorAll(".md-nav__container + nav[aria-labelledby]").forEach(nav => {
      const link = nav.previousElementSibling.querySelector("a")
      if (!link) return
      nav.setAttribute("aria-label", link.textContent.trim())
      nav.removeAttribute("aria-labelledby")
    })
  }
  all()
  document$.subscribe(all)
  // Buttons and boxes come when what they belong to is near the window.
  new MutationObserver(all).observe(document.body, { childList: true, subtree: true })
})()
