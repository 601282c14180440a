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
    set(".md-annotation__index", "aria-label", "Remark on this line")
    set(".md-code__button:not([aria-label])", "aria-label", "Copy to clipboard")
    // The lists of pages are named apart from the headings that a page may have of the same words;
    // and where a section has a page of its own, its name is in the link to that, and the label is empty.
    document.querySelectorAll(".md-nav__item--nested > nav[aria-labelledby]").forEach(nav => {
      const title = nav.parentElement.querySelector(":scope > .md-nav__container > a, :scope > label.md-nav__link")
      if (!title) return
      nav.setAttribute("aria-label", `Pages: ${title.textContent.trim()}`)
      nav.removeAttribute("aria-labelledby")
    })
  }
  all()
  document$.subscribe(all)
  // Buttons and boxes come when what they belong to is near the window.
  new MutationObserver(all).observe(document.body, { childList: true, subtree: true })
})()
